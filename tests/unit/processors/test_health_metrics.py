"""Metrics of llmcost itself: what the store could not write, adopted spans, and running totals in a forked child."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from factories import a_call
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost import semconv
from llmcost.processors import instruments
from llmcost.processors.instruments import Kept
from llmcost.processors.metrics import MetricsSpanProcessor


@dataclass
class Backlog:
    """A store that could not write."""

    waiting: int = 0
    dropped: int = 0


def shown(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    found = [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]
    return {metric.name: list(metric.data.data_points) for metric in found}


def test_what_waits_for_the_disk_and_what_was_dropped_is_shown() -> None:
    reader, backlog = InMemoryMetricReader(), Backlog()
    processor = MetricsSpanProcessor(MeterProvider([reader], shutdown_on_exit=False), backlog)
    found = shown(reader)
    assert [point.value for point in found[semconv.STORE_WAITING.name]] == [0]
    assert semconv.STORE_DROPPED.name not in found
    backlog.waiting, backlog.dropped = 20_000, 7
    found = shown(reader)
    assert [point.value for point in found[semconv.STORE_WAITING.name]] == [20_000]
    assert [point.value for point in found[semconv.STORE_DROPPED.name]] == [7]
    assert processor is not None


def test_without_a_store_nothing_is_said_of_one() -> None:
    reader = InMemoryMetricReader()
    processor = MetricsSpanProcessor(MeterProvider([reader], shutdown_on_exit=False))
    processor.observe(a_call(1))
    assert not {name for name in shown(reader) if ".store." in name}


def test_calls_on_spans_of_others_are_counted_apart() -> None:
    reader = InMemoryMetricReader()
    processor = MetricsSpanProcessor(MeterProvider([reader], shutdown_on_exit=False))
    for number, adopted in enumerate((True, False, True)):
        processor.observe(a_call(number, adopted=adopted))
    found = shown(reader)
    assert [point.value for point in found[semconv.CALLS_ADOPTED.name]] == [2]
    assert sum(point.value for point in found[semconv.CALLS.name]) == 3


def test_a_total_that_is_kept_elsewhere_begins_anew_in_a_child() -> None:
    errors: Counter[tuple[str, ...]] = Counter({("flow.begin",): 3})
    kept = Kept(semconv.INTERNAL_ERRORS, lambda: errors)
    assert [each.value for each in kept.observe(CallbackOptions())] == [3]
    instruments.begin_anew()
    assert list(kept.observe(CallbackOptions())) == [], "those were the parent's"
    errors["flow.begin",] += 1
    errors["call.finish",] += 2
    found = {each.attributes["llmcost.place"]: each.value for each in kept.observe(CallbackOptions())}  # type: ignore[index]
    assert found == {"flow.begin": 1, "call.finish": 2}
