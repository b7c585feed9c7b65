"""Tokens and money by class add up to the call's."""

from __future__ import annotations

from typing import Any

import pytest
from factories import a_call
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost import semconv
from llmcost.calls import UNPRICED, Cost, Usage
from llmcost.processors.metrics import MetricsSpanProcessor
from llmcost.processors.token_classes import token_classes

USAGE = Usage(1000, 300, cache_read_tokens=600, cache_write_tokens=100, reasoning_tokens=200)
COST = Cost(
    "priced",
    0.0068,
    0.0008,
    0.006,
    0.0,
    prompt_details={"input": 0.0003, "cache_read": 0.0001, "cache_write": 0.0004},
    completion_details={"output": 0.002, "reasoning": 0.004},
)


def test_classes_stand_apart() -> None:
    found = {name: (tokens, round(usd, 9)) for name, tokens, usd in token_classes(USAGE, COST)}
    assert found == {
        "cache_read": (600, 0.0001),
        "cache_write": (100, 0.0004),
        "input": (300, 0.0003),
        "reasoning": (200, 0.004),
        "output": (100, 0.002),
    }


def test_a_call_without_a_price_has_tokens_and_no_money() -> None:
    assert list(token_classes(Usage(10, 5), UNPRICED)) == [("input", 10, 0.0), ("output", 5, 0.0)]


def test_a_refused_call_has_nothing() -> None:
    assert list(token_classes(Usage(), Cost("not_billed"))) == []


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.floats(0, 10, allow_nan=False),
    st.floats(0, 1, allow_nan=False),
)
def test_classes_add_up_and_never_fall(anew: int, read: int, shown: int, prompt: float, share: float) -> None:
    usage = Usage(anew + read, shown, cache_read_tokens=read)
    cost = Cost("priced", prompt, prompt, 0.0, 0.0, prompt_details={"input": 0.0, "cache_read": prompt * share})
    rows = list(token_classes(usage, cost))
    assert sum(tokens for _, tokens, _ in rows) == anew + read + shown
    assert all(usd >= 0 for _, _, usd in rows)
    if read and anew:
        assert sum(usd for _, _, usd in rows) == pytest.approx(prompt)


def test_they_are_counted_by_section_and_model() -> None:
    reader = InMemoryMetricReader()
    processor = MetricsSpanProcessor(MeterProvider([reader]))
    for number in range(3):
        processor.observe(a_call(number, usage=USAGE, cost=COST))
    data: Any = reader.get_metrics_data()
    found = {
        (metric.name, point.attributes[semconv.TOKEN_CLASS]): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name in {semconv.TOKENS.name, semconv.TOKENS_COST.name}
        for point in metric.data.data_points
    }
    assert found[semconv.TOKENS.name, "cache_read"] == 1800
    assert found[semconv.TOKENS_COST.name, "reasoning"] == pytest.approx(0.012)
    assert sum(value for (name, _), value in found.items() if name == semconv.TOKENS.name) == 3 * 1300
