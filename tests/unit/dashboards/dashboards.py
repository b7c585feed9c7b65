"""The committed dashboards, read as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "grafana"
FILES = sorted((FOLDER / "dashboards").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def panels(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def queries(document: dict[str, Any], source: str) -> Iterator[tuple[str, str]]:
    """Title of the panel, and query, for one kind of data source."""
    for panel in panels(document):
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == source:
                yield panel["title"], target.get("expr") or target["query"]
