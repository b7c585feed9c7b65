"""Every PromQL query of every panel is parsed by promtool, and run on a Prometheus that holds the made-up day."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from stack.dashboards.binaries import binary
from stack.dashboards.conftest import Filled
from stack.dashboards.rows import queries

from grafana.boards import BOARDS
from grafana.query import Prom

pytestmark = pytest.mark.slow

QUERIES = {f"{uid}: {panel.title}: {query.legend}": query for uid, panel, query in queries() if isinstance(query, Prom)}
MARKS = {f"{board.uid}: marks": board.annotation for board in BOARDS if board.annotation}
ALL = QUERIES | MARKS
DAY_S = 24 * 3600


def filled_in(expr: str) -> str:
    """The query as Grafana sends it for a day's range and every filter at *All*."""
    for name, value in (("__rate_interval", "20m"), ("__interval", "10m"), ("__range", "24h")):
        expr = expr.replace(f"${name}", value)
    return re.sub(r"\$\w+", ".*", expr)


def test_promtool_parses_every_query(tmp_path: Path) -> None:
    exprs = [filled_in(query.expr) for query in ALL.values()]
    rules = [{"record": f"query_{number}", "expr": expr} for number, expr in enumerate(exprs)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [str(binary("promtool")), "check", "rules", "--lint=none", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout + done.stderr


@pytest.mark.parametrize("query", ALL.values(), ids=ALL)
def test_a_query_returns_data_or_is_empty_when_healthy(query: Prom, filled: Filled) -> None:
    expr = filled_in(query.expr)
    if query.form == "range":
        found = filled.server.ask_range(expr, filled.end - DAY_S, filled.end, 600)
        numbers = [float(value) for series in found for _, value in series["values"]]
    else:
        found = filled.server.ask(expr, filled.end)
        numbers = [float(series["value"][1]) for series in found]
    assert numbers or query.empty_when_healthy, "no data, and not marked as empty when healthy"
    assert all(number == number for number in numbers), "NaN would spoil the scale of a panel"


def test_the_money_is_right(filled: Filled) -> None:
    exact = float(filled.server.ask("sum(llm_cost_total)", filled.end)[0]["value"][1])
    assert exact == pytest.approx(filled.total, abs=1e-6)
    grown = float(filled.server.ask("sum(increase(llm_cost_total[24h]))", filled.end)[0]["value"][1])
    assert grown == pytest.approx(filled.total, rel=0.005), "increase() extrapolates to the ends of the window"
