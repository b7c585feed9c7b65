"""The gauges of forecasts: of what this process called, without users, and of the budgets that end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from factories import a_call
from ledgers import Clock
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost.calls import Attribution, Call
from llmcost.control import Standing
from llmcost.control.feed.memory import MemoryFeed
from llmcost.control.ledger import LedgerFailure
from llmcost.insight import WatchSettings
from llmcost.processors.forecast import ForecastSpanProcessor
from llmcost.processors.foresight import Foresight
from llmcost.processors.sums import CallSums, Row

NOW = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
DAY = 86_400
MONTHLY = Standing(
    budget="all", scope="global", value="", window="monthly", mode="warn", limit=30.0, spent=15.0, held=0.0,
    remaining=15.0, used_ratio=0.5, calls=1, max_calls=None,
    resets_at=datetime(2026, 12, 1, tzinfo=UTC).timestamp(), timezone="UTC",
)  # fmt: skip


def calls(days: int) -> Iterator[Call]:
    """A dollar a day, in four calls, up to ``NOW``."""
    for number in range(4 * days):
        at = NOW - days * DAY + number * DAY / 4 + 60
        about = Attribution(label="chat", label_source="map", user_id="u1")
        yield a_call(number, started_ns=int(at * 1e9), cost=0.25, attribution=about)


class Program:
    """A feed with a history, and what the gauges show of it."""

    def __init__(self, days: int, *standings: Standing) -> None:
        self.clock = Clock(NOW)
        self.feed = MemoryFeed(self.clock)
        self.rows: list[Row] = []
        sums, part = CallSums(), Foresight(self.feed, WatchSettings(), grace_s=0.0)
        for call in calls(days):
            sums.add(call)
            rows = sums.drain()
            self.rows += rows
            part.send(rows)
        part.advance()
        part.advance()
        self.reader = InMemoryMetricReader()
        self.processor = ForecastSpanProcessor(self.feed, MeterProvider([self.reader]), lambda _: standings)

    def shown(self, name: str) -> dict[tuple[Any, ...], float]:
        data = self.reader.get_metrics_data()
        found: dict[tuple[Any, ...], float] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        for point in metric.data.data_points:
                            attributes = dict(point.attributes or {})
                            found[tuple(attributes.values())] = point.value  # type: ignore[union-attr]
        return found


def test_the_month_of_all_and_of_what_was_called_but_of_no_user() -> None:
    program = Program(30)
    program.processor.mark(program.rows)
    program.processor.publish()
    shown = program.shown("llmcost.forecast.cost")
    assert {key[:-1] for key in shown} == {("global",), ("label", "chat"), ("model", "gpt-5-mini")}
    assert shown["global", "median"] == pytest.approx(30.0, rel=0.05)
    assert shown["global", "lower"] < shown["global", "median"] < shown["global", "upper"]


def test_a_short_history_shows_nothing() -> None:
    program = Program(5, MONTHLY)
    program.processor.publish()
    assert program.shown("llmcost.forecast.cost") == {}
    assert program.shown("llmcost.forecast.exceed_probability") == {}


def test_a_budget_shows_its_end_and_the_chance_to_pass_it() -> None:
    rolling = replace(MONTHLY, budget="rolling", window="rolling 24h")
    unknown = replace(MONTHLY, budget="unknown", verified=False)
    total = replace(MONTHLY, budget="total", window="total", resets_at=None)
    user = replace(MONTHLY, budget="users", scope="user", value="u1", limit=31.0, spent=30.0)
    low = replace(MONTHLY, budget="users", scope="user", value="u1", limit=900.0)
    program = Program(30, MONTHLY, rolling, unknown, total, user, low)
    program.processor.publish()
    chances = program.shown("llmcost.forecast.exceed_probability")
    assert set(chances) == {("all",), ("users",)}
    assert 0.05 < chances["all",] < 0.95
    assert chances["users",] > 0.95
    assert program.shown("llmcost.forecast.cost")["budget", "all", "median"] == pytest.approx(30.0, rel=0.05)
    assert not any("u1" in key for key in program.shown("llmcost.forecast.cost"))


def test_series_that_were_dropped_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(30)
    program.processor.publish()
    assert program.shown("llmcost.series.dropped") == {}
    monkeypatch.setattr(program.feed, "dropped", lambda: 12)
    for _ in range(4):
        program.processor.publish()
    assert program.shown("llmcost.series.dropped") == {(): 12}


def test_what_is_old_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(30)
    program.processor.publish()
    assert program.shown("llmcost.forecast.cost")

    def gone(*_: object) -> dict[str, str]:
        raise LedgerFailure("unreachable")

    monkeypatch.setattr(program.feed, "states", gone)
    for _ in range(4):
        program.processor.publish()
    assert program.shown("llmcost.forecast.cost") == {}
