"""Names in Prometheus. tests/stack compares them with a real one; here are the rules, one example each."""

from __future__ import annotations

import pytest

from grafana import names
from llmcost import semconv
from llmcost.semconv import Metric


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (semconv.COST, "llm_cost_total"),
        (semconv.CALLS_UNPRICED, "llmcost_calls_unpriced_total"),
        (semconv.CALL_COST, "llmcost_call_cost"),
        (semconv.OPERATION_DURATION, "gen_ai_client_operation_duration_seconds"),
        (semconv.TOKEN_USAGE, "gen_ai_client_token_usage"),
        (Metric("a.used_ratio", "gauge", "1", ""), "a_used_ratio"),
        (Metric("a.chance", "gauge", "1", ""), "a_chance_ratio"),
        (Metric("a.total", "counter", "1", ""), "a_total"),
        (Metric("a.time", "counter", "s", ""), "a_time_seconds_total"),
    ],
    ids=lambda value: value.name if isinstance(value, Metric) else "",
)
def test_a_metric_gets_the_suffixes_of_its_unit_and_kind(metric: Metric, expected: str) -> None:
    assert names.series(metric) == expected


def test_a_label_has_underscores_for_what_prometheus_does_not_know() -> None:
    assert names.label("llm.semantic_label") == "llm_semantic_label"
    assert names.label("code.line-number") == "code_line_number"
