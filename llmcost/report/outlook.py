"""What a period will cost, from the calls of a store: the record behind ``llmcost forecast`` and its chart."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

from llmcost.calls import NANO
from llmcost.control.budget import Budget
from llmcost.control.windows import FOREVER, WINDOWS
from llmcost.errors import ConfigError
from llmcost.insight import CostPrediction, Exhaustion, Forecaster, NotEnoughHistory, predict_cost
from llmcost.store.dimensions import dimension
from llmcost.store.filters import QUARTER_SECONDS, Filter
from llmcost.store.query import Spend

HISTORY_DAYS: Final = 400
_TOP_DAYS: Final = 30
_DAY: Final = 86_400.0
_SCOPES: Final = {"call_type": "type", "global": ""}
"""Scopes of a budget whose name in the store is another."""
_FIXED: Final = frozenset(WINDOWS) - {"total"}


@dataclass(frozen=True, slots=True)
class Day:
    """Spend since the start of the period up to the end of a day, USD: known, or a forecast with its intervals."""

    day: str
    median: float
    lower80: float
    upper80: float
    lower95: float
    upper95: float
    known: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a period will cost. Money is in USD, times are Unix seconds.

    Attributes:
        kind, name: whose spend.
        start, end: the period.
        spent: in it so far.
        total: its cost with an interval, or that the history is too short.
        days: the spend since ``start`` by day, known and forecast.
        budget, window, limit: the budget that it is held against, if any.
        exhaustion: when the limit is used up.
    """

    kind: str
    name: str
    start: float
    end: float
    spent: float
    total: CostPrediction | NotEnoughHistory
    days: tuple[Day, ...] = ()
    budget: str | None = None
    window: str | None = None
    limit: float | None = None
    exhaustion: Exhaustion | NotEnoughHistory | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when (Unix seconds), and the limit in it."""

    start: float
    end: float
    budget: str | None = None
    window: str | None = None
    limit: float | None = None


class StorePast:
    """The past of a store as the forecasts need it.

    Args:
        connection: a reading connection.
        now: the present, with the zone in which days begin.
    """

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self._connection = connection
        self._zone: tzinfo = now.tzinfo or datetime.now().astimezone().tzinfo  # type: ignore[assignment]
        self.now = now.timestamp()

    def quarters(self, values: Mapping[str, str]) -> list[tuple[float, float]]:
        """Unix time and USD of each quarter of an hour with calls."""
        since = int(self.now - HISTORY_DAYS * _DAY) // QUARTER_SECONDS
        wanted = Filter(since=since, values={name: (value,) for name, value in values.items()})
        rows = Spend(self._connection, wanted, self._zone).by_quarter()
        return [(quarter * QUARTER_SECONDS, nano / NANO) for quarter, nano in rows]

    def names(self, kind: str, most: int) -> list[str]:
        """The values of a dimension that spent most in the last thirty days."""
        since = int(self.now - _TOP_DAYS * _DAY) // QUARTER_SECONDS
        groups = Spend(self._connection, Filter(since=since), self._zone).by(kind)
        return [group.key for group in groups if group.key][:most]

    def outlook(self, kind: str, values: Mapping[str, str], period: Period, confidence: float = 0.95) -> Outlook:
        """The outlook of the calls that have these values."""
        quarters = self.quarters(values)
        forecaster = Forecaster(self._offset())
        for at, cost in quarters:
            forecaster.update(at, cost)
        spent = sum(cost for at, cost in quarters if at >= period.start)
        forecast = forecaster.predict(period.end, self.now, spent)
        total = predict_cost(forecast, budget=period.limit, confidence=confidence)
        exhaustion = None
        if period.limit is not None:
            exhaustion = forecaster.exhaustion(period.limit, period.end, self.now, spent)
        return Outlook(
            kind=kind,
            name=", ".join(values.values()),
            start=period.start,
            end=period.end,
            spent=spent,
            total=total,
            days=self._days(forecaster, quarters, period),
            budget=period.budget,
            window=period.window,
            limit=period.limit,
            exhaustion=exhaustion,
        )

    def _days(self, forecaster: Forecaster, quarters: Sequence[tuple[float, float]], period: Period) -> tuple[Day, ...]:
        """Known days up to yesterday; today and what comes from the forecast."""
        ends = self._ends_of_days(period)
        spent = [sum(cost for at, cost in quarters if a <= at < b) for a, b in ends]
        known = [(end, total) for (_, end), total in zip(ends, accumulate(spent), strict=True) if end <= self.now]
        so_far = sum(spent)
        found = [Day(self._date(end), *(total,) * 5, known=True) for end, total in known]
        for _, end in ends[len(known) :]:
            forecast = forecaster.predict(end, self.now, so_far)
            levels = (forecast.mean, forecast.lower(0.8), forecast.upper(0.8), forecast.lower(), forecast.upper())
            found.append(Day(self._date(end), *levels))
        return tuple(found)

    def _ends_of_days(self, period: Period) -> list[tuple[float, float]]:
        """The days of a period, each with its begin and end, the first and last perhaps cut."""
        days, at = [], period.start
        while at < period.end:
            local = datetime.fromtimestamp(at, self._zone)
            following = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(max(following.timestamp(), at + 1), period.end)
            days.append((at, end))
            at = end
        return days

    def _date(self, end: float) -> str:
        return datetime.fromtimestamp(end - 1, self._zone).date().isoformat()

    def _offset(self) -> float:
        offset = datetime.fromtimestamp(self.now, self._zone).utcoffset()
        return offset.total_seconds() if offset is not None else 0.0


def period_of(horizon: str | int, now: datetime, limit: float | None = None) -> Period:
    """The present month, or so many days from now.

    Raises:
        ConfigError: the horizon is neither.
    """
    at = now.timestamp()
    if horizon == "month":
        window = WINDOWS["monthly"](at, now.tzinfo or now.astimezone().tzinfo)  # type: ignore[arg-type]
        return Period(window.start, window.end, limit=limit)
    days = int(horizon) if str(horizon).isdecimal() else 0
    if not 0 < days <= 365:
        raise ConfigError(f"horizon: {horizon!r} is neither 'month' nor a number of days up to 365")
    return Period(at, at + days * _DAY, limit=limit)


def budget_outlooks(past: StorePast, budget: Budget, most: int) -> list[Outlook]:
    """The outlooks of a budget: each of its windows, for each of the values that spent most."""
    kind = _SCOPES.get(budget.scope, budget.scope)
    names = [""]
    if kind:
        dimension(kind)
        names = list(dict.fromkeys([*past.names(kind, most), *budget.overrides]))
    found = []
    for name in names:
        limits = budget.limits_of(name).amounts()
        for window, amount in limits.items():
            if window not in _FIXED:
                continue  # a total has no end, so there is nothing to foretell
            span = WINDOWS[window](past.now, ZoneInfo(budget.timezone))
            assert span.end != FOREVER
            period = Period(span.start, span.end, budget.name, window, float(amount))
            found.append(past.outlook(budget.scope, {kind: name} if kind else {}, period))
    return found
