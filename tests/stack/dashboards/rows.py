"""The rows of all dashboards, flat."""

from __future__ import annotations

from collections.abc import Iterator

from grafana.boards import BOARDS
from grafana.panels import Panel
from grafana.query import Query


def panels() -> Iterator[tuple[str, Panel]]:
    """Each panel with the uid of its dashboard."""
    for board in BOARDS:
        for row in board.rows:
            for panel, _ in row.cells:
                if isinstance(panel, Panel):
                    yield board.uid, panel


def queries() -> Iterator[tuple[str, Panel, Query]]:
    """Each query with its panel and the uid of the dashboard."""
    for uid, panel in panels():
        for query in panel.queries:
            yield uid, panel, query
