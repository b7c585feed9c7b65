"""The alerts as files: rules for Prometheus, provisioning for Grafana, and the page of runbooks.

YAML is written by hand, for strings, lists and mappings are all that is needed: a JSON string is a YAML string.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from grafana.alert_rules import ALERTS, Alert

NOTICE: Final = "# Written by `python -m grafana` from grafana/alert_rules.py. Don't edit; run: make generated\n"
PAGE_NOTICE: Final = (
    "<!-- Written by `python -m grafana` from grafana/alert_rules.py. Don't edit; run: make generated -->\n"
)
GROUP: Final = "llmcost"
EVERY: Final = "1m"
FOLDER: Final = "llmcost"
_LOOK_BACK_S: Final = 3600


def prometheus_rules() -> str:
    """A file for ``rule_files`` of Prometheus."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.lasting,
            "labels": {"severity": alert.severity},
            "annotations": _annotations(alert),
        }
        for alert in ALERTS
    ]
    return NOTICE + _yaml({"groups": [{"name": GROUP, "interval": EVERY, "rules": rules}]})


def grafana_provisioning() -> str:
    """A file for ``provisioning/alerting`` of Grafana."""
    group = {
        "orgId": 1,
        "name": GROUP,
        "folder": FOLDER,
        "interval": EVERY,
        "rules": [_managed(alert) for alert in ALERTS],
    }
    return NOTICE + _yaml({"apiVersion": 1, "groups": [group]})


def page() -> str:
    """The reference page: each alert with its query and what to do."""
    parts = [PAGE_NOTICE, "# Alerts\n", "How to use them: [Alert on cost](../how-to/alerts.md).\n"]
    for alert in ALERTS:
        after = "at once" if alert.lasting == "0m" else f"after {alert.lasting}"
        parts.append(
            f"## {alert.name}\n\n{alert.runbook}\n\n- severity {alert.severity}, told {after}\n"
            f"- dashboard: `/d/{alert.board}`\n\n```promql\n{alert.expr}\n```\n"
        )
    return "\n".join(parts)


def _annotations(alert: Alert) -> dict[str, str]:
    return {"summary": alert.summary, "runbook": alert.runbook, "dashboard": f"/d/{alert.board}"}


def _managed(alert: Alert) -> dict[str, Any]:
    """One rule of Grafana's own: the query has an answer, above 0, only where the alert fires."""
    asked = {"refId": "A", "expr": alert.expr, "instant": True, "intervalMs": 1000, "maxDataPoints": 43200}
    tested = {
        "refId": "C",
        "type": "threshold",
        "expression": "A",
        "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
    }
    times = {"from": _LOOK_BACK_S, "to": 0}
    return {
        "uid": alert.uid,
        "title": alert.name,
        "condition": "C",
        "for": alert.lasting,
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": alert.severity},
        "annotations": _annotations(alert) | {"__dashboardUid__": alert.board},
        "data": [
            {"refId": "A", "relativeTimeRange": times, "datasourceUid": "prometheus", "model": asked},
            {"refId": "C", "relativeTimeRange": times, "datasourceUid": "__expr__", "model": tested},
        ],
    }


def _yaml(value: Any) -> str:
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    pairs: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        pairs = [(f"{key}:", each) for key, each in value.items()]
    else:
        pairs = [("-", each) for each in value]
    for head, each in pairs:
        if not isinstance(each, dict | list):
            yield f"{indent}{head} {json.dumps(each, ensure_ascii=False)}"
        elif head == "-":
            first, *rest = _lines(each, indent + "  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}{head}"
            yield from _lines(each, indent + "  ")
