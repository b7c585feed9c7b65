"""The report for programs: one JSON object, ASCII, names as they were recorded."""

from __future__ import annotations

import json
from dataclasses import asdict

from llmcost.calls import NANO
from llmcost.report.model import Report


def render(report: Report) -> str:
    """The fields of :class:`~llmcost.report.model.Report`. ``nano``, ``average`` and ``p95`` are whole nano-dollars;
    ``usd`` beside ``nano`` is the same in USD, for reading."""
    table = asdict(report)
    for row in (table["total"], *table["rows"], *table["models"], *table["days"]):
        row["usd"] = None if row["nano"] is None else row["nano"] / NANO
    return json.dumps(table, indent=2)
