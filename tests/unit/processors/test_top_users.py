"""Users in metrics: none unless asked for, then those that spend most, with sums that never fall."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import a_call
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost import semconv
from llmcost.calls import Call
from llmcost.exporters import DELTA
from llmcost.processors.metrics import MetricsSpanProcessor
from llmcost.processors.top_users import TopUsers


def call_of(user: str | None, usd: float) -> Call:
    call = a_call(1, cost=usd)
    return replace(call, attribution=replace(call.attribution, user_id=user))


def processor(users: int, delta: bool = False) -> tuple[MetricsSpanProcessor, InMemoryMetricReader]:
    reader = InMemoryMetricReader(preferred_temporality=DELTA if delta else {})
    return MetricsSpanProcessor(MeterProvider([reader], shutdown_on_exit=False), users=users), reader


def shown(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    assert data is not None
    found: list[Any] = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == semconv.USER_COST.name
        for point in metric.data.data_points
    ]
    assert all(point.value > 0 for point in found)
    return {point.attributes[semconv.USER_ID]: pytest.approx(point.value) for point in found}


def test_without_the_setting_no_metric_names_a_user() -> None:
    observed, reader = processor(users=0)
    for number in range(100):
        observed.observe(call_of(f"user-{number}", 1.0))
    data = reader.get_metrics_data()
    assert data is not None
    assert "user-" not in data.to_json()


def test_those_that_spend_most_are_shown_and_calls_without_a_user_are_nobodys() -> None:
    observed, reader = processor(users=2)
    for user, usd in (("a", 1.0), ("b", 5.0), ("c", 2.0), (None, 50.0), ("c", 2.0)):
        observed.observe(call_of(user, usd))
    assert shown(reader) == {"b": 5.0, "c": 4.0}


@pytest.mark.parametrize("delta", [False, True], ids=["cumulative", "delta"])
def test_who_comes_later_is_shown_with_all_that_was_spent(delta: bool) -> None:
    """And who leaves the list and comes back has lost nothing meanwhile."""
    observed, reader = processor(users=1, delta=delta)
    observed.observe(call_of("early", 3.0))
    observed.observe(call_of("late", 2.0))
    assert shown(reader) == {"early": 3.0}
    observed.observe(call_of("late", 2.0))
    assert shown(reader) == {"late": 4.0}
    observed.observe(call_of("early", 3.0))
    assert shown(reader) == {"early": 3.0 if delta else 6.0}


def test_a_crowd_of_users_is_bounded_and_nobody_who_was_shown_is_forgotten() -> None:
    users = TopUsers(2, watched=100)
    users.add("first", 0.5)
    users.add("second", 0.4)
    assert _seen(users) == {"first": 0.5, "second": 0.4}
    users.add("whale", 90.0)
    for number in range(10_000):
        users.add(f"user-{number}", 1.0)
        if number == 5000:
            users.add("whale", 10.0)
    assert _seen(users)["whale"] == 100.0
    assert len(users._spent) <= 100
    assert users._spent["first"] == 0.5


def test_a_child_counts_from_nothing() -> None:
    users = TopUsers(2)
    users.add("a", 1.0)
    users.begin_anew()
    users.add("b", 2.0)
    assert _seen(users) == {"b": 2.0}


def _seen(users: TopUsers) -> dict[object, float]:
    from opentelemetry.metrics import CallbackOptions

    found = users.observe(CallbackOptions())
    return {each.attributes[semconv.USER_ID]: each.value for each in found if each.attributes}
