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

from grafana import names
from grafana.boards import BOARDS
from grafana.queries import budgets, models, performance, traces
from grafana.query import Prom
from llmcost import semconv

pytestmark = pytest.mark.slow

QUERIES = {f"{uid}: {panel.title}: {query.legend}": query for uid, panel, query in queries() if isinstance(query, Prom)}
MARKS = {f"{board.uid}: marks": board.annotation for board in BOARDS if board.annotation}
ALL = QUERIES | MARKS
DAY_S = 24 * 3600
CLASSIC_ONLY = (performance.DURATIONS, traces.CALL_COST)
"""The heat maps: a native histogram has no series for each bucket."""
HISTOGRAMS = tuple(names.series(metric) for metric in semconv.METRICS if metric.kind == "histogram")
OF_HISTOGRAMS = {
    name: query
    for name, query in ALL.items()
    if query not in CLASSIC_ONLY and any(series in query.expr for series in HISTOGRAMS)
}
_BY_OPERATION = "sum by (gen_ai_operation_name) (llmcost_calls_total)"


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


def answers(query: Prom, filled: Filled) -> list[float]:
    """All numbers that a query gives over the day."""
    expr = filled_in(query.expr)
    if query.form == "range":
        found = filled.server.ask_range(expr, filled.end - DAY_S, filled.end, 600)
        return [float(value) for series in found for _, value in series["values"]]
    return [float(series["value"][1]) for series in filled.server.ask(expr, filled.end)]


@pytest.mark.parametrize("query", ALL.values(), ids=ALL)
def test_a_query_returns_data_or_is_empty_when_healthy(query: Prom, filled: Filled) -> None:
    numbers = answers(query, filled)
    assert numbers or query.empty_when_healthy, "no data, and not marked as empty when healthy"
    assert all(number == number for number in numbers), "NaN would spoil the scale of a panel"


def test_the_money_is_right(filled: Filled) -> None:
    exact = float(filled.server.ask("sum(llm_cost_total)", filled.end)[0]["value"][1])
    assert exact == pytest.approx(filled.total, abs=1e-6)
    grown = float(filled.server.ask("sum(increase(llm_cost_total[24h]))", filled.end)[0]["value"][1])
    assert grown == pytest.approx(filled.total, rel=0.005), "increase() extrapolates to the ends of the window"


def test_calls_in_flight_hold_money(filled: Filled) -> None:
    assert max(answers(budgets.RESERVED_OVER_TIME, filled)) > 0


def test_refused_calls_are_in_no_duration(filled: Filled) -> None:
    """They are answered in half a millisecond, which would make every model look fast."""
    series = names.series(semconv.OPERATION_DURATION)
    assert float(filled.server.ask(f'sum({series}_bucket{{le="0.01"}})', filled.end)[0]["value"][1]) > 100
    quick = filled.server.ask(
        filled_in(performance.DURATIONS.expr.replace("by (le)", "by (le, error_type)")), filled.end
    )
    assert quick
    assert {each["metric"].get("error_type", "") for each in quick} <= {"", "rate_limit_exceeded"}
    assert min(answers(performance.P50, filled)) > 0.1


def test_every_kind_of_operation_is_in_the_day(filled: Filled) -> None:
    found = {each["metric"]["gen_ai_operation_name"] for each in filled.server.ask(_BY_OPERATION, filled.end)}
    assert found == {"chat", "embeddings", "image_generation", "audio_transcription", "rerank"}


@pytest.mark.parametrize("query", OF_HISTOGRAMS.values(), ids=OF_HISTOGRAMS)
def test_a_query_of_histograms_reads_native_ones_too(query: Prom, filled: Filled, filled_natively: Filled) -> None:
    """It gives numbers wherever it does so of the classic ones."""
    numbers = answers(query, filled_natively)
    assert bool(numbers) == bool(answers(query, filled))
    assert all(number == number for number in numbers)


def test_native_histograms_have_the_same_sums(filled: Filled, filled_natively: Filled) -> None:
    for query in (models.INPUT, models.OUTPUT, performance.TOKEN_SPEED_NOW, performance.ERROR_SHARE):
        assert answers(query, filled_natively) == pytest.approx(answers(query, filled), rel=0.02), query.expr
