"""The model of a series of days: level, weekday, trend, and how far a usual day strays.

Four simple forecasts stand beside each other, since none is best everywhere: smoothed levels times a weekday
factor, means by weekday, the mean of four weeks times the weekday factor, and the week before. Nothing grows with the
history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import accumulate, cycle, repeat
from operator import mul
from typing import ClassVar, Final

from llmcost.insight.state import Resumable

MEMBERS: Final = 4
WEEK: Final = 7
_RATES: Final = (0.1, 0.25, 0.5)
"""Smoothing of the three levels: slow, middling, fast."""
_FACTOR_RATE: Final = 0.12
_FACTOR_PRIOR: Final = 6.0
"""How many weeks of "all weekdays are alike" stand against what was seen."""
_MEAN_RATE: Final = 0.35
_CLIP: Final = 3.5
"""A day further off than this many spreads is cut back before it is learnt."""
_SHIFT_DAYS: Final = 3
"""So many cut days in a row, all up or all down, are a new level."""
_EXCESS_RATE: Final = 0.01
_DAMPING: Final = 0.9
_FAR: Final = 400
"""Days after which the damped slope adds nothing that a float could hold."""
_SLOPES: Final = list(accumulate(accumulate(repeat(_DAMPING, _FAR), mul)))
_SLOPE_RATE: Final = 0.08
_TINY: Final = 1e-12


class DailyModel(Resumable):
    """Learns one day after the other.

    Attributes:
        days: how many days were learnt.
        levels: the day's total, weekdays evened out, at three speeds.
        factors: a weekday's share of an even day, on average 1.
        means: mean total by weekday.
        slope: change of the level from day to day.
        spread: mean absolute error of the next day.
        excess: what clipping took away, on average a day.
        recent: the last 28 days.
    """

    __slots__ = (
        "_run",
        "_weekday_now",
        "days",
        "excess",
        "factors",
        "levels",
        "means",
        "recent",
        "seen",
        "slope",
        "spread",
    )
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self.days = 0
        self.levels = [0.0] * len(_RATES)
        self.factors = [1.0] * WEEK
        self.means = [0.0] * WEEK
        self.seen = [0] * WEEK
        self.slope = 0.0
        self.spread = 0.0
        self.excess = 0.0
        self.recent: deque[float] = deque(maxlen=28)
        self._run = 0
        self._weekday_now = 0

    @property
    def level(self) -> float:
        """An even day's total at present."""
        slow, middling, fast = self.levels
        return (slow + middling + fast) / len(_RATES)

    def learn(self, value: float, weekday: int) -> None:
        """Take in a day's total; ``weekday`` is any number that repeats every seven days, 0 to 6."""
        self.days += 1
        self.recent.append(value)
        self._weekday_now = weekday
        expected = self.level * self.factors[weekday]
        error, limit = value - expected, self._limit()
        kept = self._clipped(error, limit)
        if self.days <= WEEK:
            self._first_week(value, weekday)
            return
        self.excess += _EXCESS_RATE * (error - kept - self.excess)
        self.spread += max(0.06, 1 / self.days) * (min(abs(error), 2 * limit) - self.spread)
        believed = max(0.0, expected + kept)
        self._level(believed, weekday)
        self._weekday(believed, value, weekday)

    def even(self, weekday: int, days: int) -> list[float]:
        """The forecast of the next ``days`` days, the first of them a ``weekday``: the level alone, with its trend."""
        level, slope, excess = self.level, self.slope, self.excess
        floor = 0.3 * level
        if excess < 0.0:
            excess = 0.0
        factors = cycle(self.factors[weekday:] + self.factors[:weekday])
        return [
            (near if (near := level + slope * damped) > floor else floor) * factor + excess
            for damped, factor in zip(_damped(days), factors, strict=False)
        ]

    def mixed(self, even: Sequence[float], weekday: int, weights: Sequence[float]) -> list[float]:
        """The forecast of the days of ``even``, the first of which is a ``weekday``: the members in their weights."""
        trust, steady = weights[0], self._steady(weights)
        if steady is None:
            return [trust * value for value in even]
        others = cycle(steady[weekday:] + steady[:weekday])
        return [trust * value + other for value, other in zip(even, others, strict=False)]

    def week_ahead(self, even: Sequence[float]) -> list[float]:
        """Each member's total of the next seven days; ``even`` begins with them."""
        mean = sum(self.recent) / max(len(self.recent), 1)
        return [
            sum(even[:WEEK]),
            sum(self.means) + WEEK * max(0.0, self.excess),
            mean * sum(self.factors),
            sum(self._last_week()),
        ]

    def _steady(self, weights: Sequence[float]) -> list[float] | None:
        """What the members without a trend add, by weekday."""
        _, by_mean, by_month, by_week = weights
        if self.days == 0 or not (by_mean or by_month or by_week):
            return None
        month = by_month * sum(self.recent) / len(self.recent)
        excess = max(0.0, self.excess)
        return [
            by_mean * (mean + excess) + month * factor + by_week * last
            for mean, factor, last in zip(self.means, self.factors, self._last_week(), strict=True)
        ]

    def _last_week(self) -> list[float]:
        """The last seven days, by weekday; zero where there was no such day yet."""
        week = list(self.recent)[-WEEK:]
        if len(week) < WEEK:
            week = [0.0] * (WEEK - len(week)) + week
        today = self._weekday_now + 1
        return week[-today:] + week[:-today]

    # --- learning -----------------------------------------------------------------------------------------------

    def _limit(self) -> float:
        return _CLIP * 1.25 * self.spread + _TINY

    def _clipped(self, error: float, limit: float) -> float:
        kept = max(-limit, min(limit, error))
        if kept == error:
            self._run = 0
            return error
        self._run = max(-_SHIFT_DAYS, min(_SHIFT_DAYS, self._run + (1 if error > 0 else -1)))
        return error if abs(self._run) == _SHIFT_DAYS else kept

    def _first_week(self, value: float, weekday: int) -> None:
        """The levels without weekdays; at the end of the week the weekdays, and the levels anew with them."""
        mean = sum(self.recent) / len(self.recent)
        self._run = 0
        self.means[weekday] = value
        self.seen[weekday] = 1
        self._level(value, weekday)
        if self.days == 1:
            self.spread = 0.3 * value
        else:
            self.spread += (abs(value - mean) - self.spread) / self.days
        self.slope = 0.0
        if self.days == WEEK and mean > 0:
            trust = 1 / (1 + _FACTOR_PRIOR)
            first = weekday - WEEK + 1
            for ahead, day in enumerate(self.recent):
                self.factors[(first + ahead) % WEEK] = 1 + trust * (day / mean - 1)
            self._even_out()

    def _level(self, value: float, weekday: int) -> None:
        """A weekday with a large factor says more about the level than one with a small factor."""
        factor = self.factors[weekday]
        power = sum([f * f for f in self.factors]) / WEEK
        before = self.levels[1]
        for index, rate in enumerate(_RATES):
            rate_now = rate / (1 - (1 - rate) ** self.days)
            level = self.levels[index]
            level += rate_now * factor * (value - level * factor) / power
            self.levels[index] = level if level > 0.0 else 0.0
        drift = self.levels[1] - before if self.days > 1 else 0.0
        self.slope = _DAMPING * self.slope + _SLOPE_RATE * (drift - _DAMPING * self.slope)

    def _weekday(self, kept: float, value: float, weekday: int) -> None:
        seen = self.seen[weekday]
        rate = max(_MEAN_RATE, 1 / (seen + 1)) if seen else 1.0
        self.means[weekday] += rate * (kept - self.means[weekday])
        self.seen[weekday] = seen + 1
        mean = sum(self._last_week()) / WEEK
        if mean > 0:
            rate = max(_FACTOR_RATE, 1 / (seen + 1 + _FACTOR_PRIOR))
            share = min(min(kept, value) if kept > 0 and value < kept else kept, 4 * mean) / mean
            self.factors[weekday] += rate * (share - self.factors[weekday])
            self._even_out()

    def _even_out(self) -> None:
        mean = sum(self.factors) / WEEK
        if mean > 0:
            self.factors = [even if (even := factor / mean) > 0.01 else 0.01 for factor in self.factors]


def _damped(days: int) -> list[float]:
    """By how many slopes the level of each of the next days is above the present one."""
    if days <= _FAR:
        return _SLOPES[:days]
    return _SLOPES + [_SLOPES[-1]] * (days - _FAR)
