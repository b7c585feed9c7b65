"""Every alert stays quiet, fires and is over again, in Prometheus's own test of rules."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from stack.dashboards.alert_cases import CASES, Case
from stack.dashboards.binaries import binary

from grafana.alert_rules import ALERTS

pytestmark = pytest.mark.slow

ALERT_FOLDER = Path(__file__).resolve().parents[3] / "grafana" / "alerts"


def test_every_alert_is_tried() -> None:
    assert [case.alert for case in CASES] == [alert.name for alert in ALERTS]


def test_the_rules_pass_promtool() -> None:
    command = [str(binary("promtool")), "check", "rules", "--lint=all", str(ALERT_FOLDER / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_is_quiet_fires_and_is_over(case: Case, tmp_path: Path) -> None:
    document = {
        "rule_files": [str(ALERT_FOLDER / "prometheus.yaml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [
                    _firing(case.alert, case.quiet, 0),
                    _firing(case.alert, case.fires, 1),
                    _firing(case.alert, case.over, 0),
                ],
            }
        ],
    }
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(document))
    done = subprocess.run(
        [str(binary("promtool")), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _firing(alert: str, minute: int, count: int) -> dict[str, Any]:
    """How many series of the alert fire at a minute."""
    return {
        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": count}],
    }
