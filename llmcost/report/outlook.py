"""What a period will cost: the record behind ``llmcost forecast`` and its chart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

from llmcost.control import Standing
from llmcost.control.budget import Budget
from llmcost.control.windows import FOREVER, WINDOWS
from llmcost.errors import ConfigError
from llmcost.insight import CostPrediction, Exhaustion, Forecaster, NotEnoughHistory, predict_cost
from llmcost.store.dimensions import dimension

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
        spent: in it so far; None where it is not known of any call.
        total: its cost with an interval, or that the history is too short.
        days: the spend since ``start`` by day, known and forecast.
        budget, window, limit: the budget that it is held against, if any.
        exhaustion: when the limit is used up.
    """

    kind: str
    name: str
    start: float
    end: float
    spent: float | None
    total: CostPrediction | NotEnoughHistory
    days: tuple[Day, ...] = ()
    budget: str | None = None
    window: str | None = None
    limit: float | None = None
    exhaustion: Exhaustion | NotEnoughHistory | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when (Unix seconds), the limit in it, and what is booked in it where a ledger knows that (USD)."""

    start: float
    end: float
    budget: str | None = None
    window: str | None = None
    limit: float | None = None
    spent: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some calls.

    Attributes:
        forecaster: has learnt them.
        spends: Unix time and USD, in the order of time, at least of the period.
        spent: USD in the period so far; None where it is not known of any call.
    """

    forecaster: Forecaster
    spends: Sequence[tuple[float, float]]
    spent: float | None

    @property
    def booked(self) -> float:
        """USD of the calls in the period whose cost is known."""
        return self.spent or 0.0


class Past(ABC):
    """What was spent, as the forecasts need it.

    Attributes:
        zone: where days begin.
        now: the present, Unix seconds.

    Args:
        now: the present, with the zone in which days begin.
    """

    def __init__(self, now: datetime) -> None:
        self.zone: tzinfo = now.tzinfo or datetime.now().astimezone().tzinfo  # type: ignore[assignment]
        self.now = now.timestamp()

    @abstractmethod
    def names(self, kind: str, most: int) -> list[str]:
        """The values of a dimension that matter most of late."""

    @abstractmethod
    def known(self, values: Mapping[str, str], period: Period) -> Known:
        """What is known of the calls that have these values."""

    def outlook(self, kind: str, values: Mapping[str, str], period: Period, confidence: float = 0.95) -> Outlook:
        """The outlook of the calls that have these values."""
        known = self.known(values, period)
        forecaster, booked = known.forecaster, known.booked
        forecast = forecaster.predict(period.end, self.now, booked)
        total = predict_cost(forecast, budget=period.limit, confidence=confidence)
        exhaustion = None
        if period.limit is not None:
            exhaustion = forecaster.exhaustion(period.limit, period.end, self.now, booked)
        return Outlook(
            kind=kind,
            name=", ".join(values.values()),
            start=period.start,
            end=period.end,
            spent=known.spent,
            total=total,
            days=self._days(known, period),
            budget=period.budget,
            window=period.window,
            limit=period.limit,
            exhaustion=exhaustion,
        )

    def _days(self, known: Known, period: Period) -> tuple[Day, ...]:
        """Known days up to yesterday; today and what comes from the forecast."""
        ends = self._ends_of_days(period)
        sums = list(accumulate(sum(cost for at, cost in known.spends if a <= at < b) for a, b in ends))
        # What is booked but not remembered by day was spent before; a ledger may also have begun later than the calls.
        before = known.booked - sums[-1]
        passed = [
            (end, max(0.0, total + before)) for (_, end), total in zip(ends, sums, strict=True) if end <= self.now
        ]
        shown = passed if known.spent is not None else []
        found = [Day(self._date(end), *(total,) * 5, known=True) for end, total in shown]
        for _, end in ends[len(passed) :]:
            forecast = known.forecaster.predict(end, self.now, known.booked)
            levels = (forecast.mean, forecast.lower(0.8), forecast.upper(0.8), forecast.lower(), forecast.upper())
            found.append(Day(self._date(end), *levels))
        return tuple(found)

    def _ends_of_days(self, period: Period) -> list[tuple[float, float]]:
        """The days of a period, each with its begin and end, the first and last perhaps cut."""
        days, at = [], period.start
        while at < period.end:
            local = datetime.fromtimestamp(at, self.zone)
            following = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(max(following.timestamp(), at + 1), period.end)
            days.append((at, end))
            at = end
        return days

    def _date(self, end: float) -> str:
        return datetime.fromtimestamp(end - 1, self.zone).date().isoformat()

    def offset(self) -> float:
        """Where the day begins, in seconds east of UTC."""
        offset = datetime.fromtimestamp(self.now, self.zone).utcoffset()
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


def budget_outlooks(past: Past, budget: Budget, most: int) -> list[Outlook]:
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


def standing_outlooks(past: Past, standings: Iterable[Standing]) -> list[Outlook]:
    """The outlooks of a budget's windows as the ledger counts them: what is booked and held, and limits that were set
    while programs run."""
    found = []
    for one in standings:
        if one.window not in _FIXED or one.limit is None or one.resets_at is None:
            continue
        kind = _SCOPES.get(one.scope, one.scope)
        span = WINDOWS[one.window](past.now, ZoneInfo(one.timezone))
        period = Period(span.start, span.end, one.budget, one.window, one.limit, one.spent + one.held)
        if not one.calls:  # nobody has called under it yet: then it is about what was
            period = replace(period, spent=None)
        found.append(past.outlook(one.scope, {kind: one.value} if kind else {}, period))
    return found
