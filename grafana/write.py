"""The files that are made of the rows: dashboards to provision, the same to import by hand, and alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from grafana import write_alerts
from grafana.boards import BOARDS
from grafana.build import build

FOLDER: Final = Path(__file__).resolve().parent
_INPUTS: Final = (("DS_PROMETHEUS", "datasource", "prometheus", "Prometheus"), ("DS_TEMPO", "traces", "tempo", "Tempo"))


def files() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    for board in BOARDS:
        made = build(board)
        name = board.uid.removeprefix("llmcost-") + ".json"
        yield FOLDER / "dashboards" / name, _json(made)
        yield FOLDER / "import" / name, _json(importable(made))
    yield FOLDER / "alerts" / "prometheus.yaml", write_alerts.prometheus_rules()
    yield FOLDER / "alerts" / "grafana.yaml", write_alerts.grafana_provisioning()
    yield FOLDER.parent / "docs" / "reference" / "alerts.md", write_alerts.page()


def importable(made: dict[str, Any]) -> dict[str, Any]:
    """The dashboard with ``__inputs``: on import by hand, Grafana asks for the data sources and puts them in."""
    inputs = [
        {"name": name, "label": title, "description": "", "type": "datasource", "pluginId": plugin, "pluginName": title}
        for name, _, plugin, title in _INPUTS
    ]
    requires = [
        {"type": "datasource", "id": plugin, "name": title, "version": "1.0.0"} for _, _, plugin, title in _INPUTS
    ]
    chosen = {variable: "${" + name + "}" for name, variable, _, _ in _INPUTS}
    listed = [
        {**each, "current": {"text": chosen[each["name"]], "value": chosen[each["name"]]}}
        if each["name"] in chosen
        else each
        for each in made["templating"]["list"]
    ]
    grafana = {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "11.6.0"}
    return {"__inputs": inputs, "__requires": [grafana, *requires], **made, "templating": {"list": listed}}


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def stale() -> list[Path]:
    """Files that are not what the rows say, or that no row makes."""
    made = dict(files())
    folders = [FOLDER / name for name in ("dashboards", "import", "alerts")]
    left = {path for folder in folders for path in folder.iterdir()} - set(made)
    return sorted([path for path, text in made.items() if not path.exists() or path.read_text() != text] + list(left))


def write() -> None:
    """Write all files."""
    for path, text in files():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
