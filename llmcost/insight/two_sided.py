"""The judge of other measures than spend, where a fall matters as much as a rise."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, Final

from llmcost.insight.moments import Moments, clamp
from llmcost.insight.state import Resumable
from llmcost.insight.tails import TailMeter

_HOURS: Final = 24
_MEMORY: Final = 200
"""A score is news only where it is above all of so many buckets before."""
_WARM: Final = 30
_OVERSHOOT: Final = 4.0
_MOST: Final = 2.6
_SECOND: Final = 0.5
"""Share of the second rarest view that counts too: what two views call rare is seldom chance."""
_LEVELS: Final = (3.4, 3.7, 4.5)
_HOUR_WARM: Final = 12
_HOUR_RATE: Final = 0.02
_LAST_DAY: Final = 1 / 288
_CEILING: Final = 99.0


class MetricJudge(Resumable):
    """Three views, of which the two rarest count: distance from all history, from the habit at this hour, and the size
    of the step from the bucket before."""

    __slots__ = (
        "_all",
        "_before",
        "_hour_mean",
        "_hour_seen",
        "_hour_spread",
        "_peaks",
        "_seen",
        "_steps",
        "_tails",
    )
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self._all = Moments(0.0)
        self._steps = Moments(_LAST_DAY)
        self._hour_mean = [0.0] * _HOURS
        self._hour_spread = [0.0] * _HOURS
        self._hour_seen = [0] * _HOURS
        self._tails = tuple(TailMeter(_OVERSHOOT, _WARM, _MOST) for _ in range(3))
        self._peaks: deque[list[float]] = deque()
        self._before = 0.0
        self._seen = 0

    @property
    def expected(self) -> float:
        """The mean of all history."""
        return self._all.mean

    def weigh(self, value: float, second_of_day: float) -> float:
        """How bad a bucket is, where that is news: 1 low, 2 medium, 3 high; else 0."""
        score = self._score(value, int(second_of_day // 3600))
        self._seen += 1
        news = self._is_news(score) and self._seen > _WARM
        return float(sum(1 for level in _LEVELS if score >= level)) if news else 0.0

    def _is_news(self, score: float) -> bool:
        """Whether the score is above all in memory (a queue of falling peaks); then remember it."""
        peaks = self._peaks
        while peaks and peaks[0][0] < self._seen - _MEMORY:
            peaks.popleft()
        news = not peaks or score > peaks[0][1]
        while peaks and peaks[-1][1] <= score:
            peaks.pop()
        peaks.append([self._seen, score])
        return news

    def _score(self, value: float, hour: int) -> float:
        if self._seen == 0:
            self._all.mean = self._before = value
        step = value - self._before
        self._before = value
        away, hours, jump = self._tails
        rarities = (
            away.rarity(min(abs(self._all.distance(value)), _CEILING)),
            hours.rarity(min(self._off_habit(value, hour), _CEILING)),
            jump.rarity(min(abs(self._steps.distance(step)), _CEILING)),
        )
        _, second, rarest = sorted(rarities)
        start = 1 / (self._seen + 1)
        self._all.learn(value, start)
        self._steps.learn(step, start)
        self._learn_hour(value, hour)
        return rarest + _SECOND * second

    def _off_habit(self, value: float, hour: int) -> float:
        if self._hour_seen[hour] < _HOUR_WARM:
            return 0.0
        mean = self._hour_mean[hour]
        return abs(value - mean) / max(1.25 * self._hour_spread[hour], 1e-9 + 0.01 * abs(mean))

    def _learn_hour(self, value: float, hour: int) -> None:
        self._hour_seen[hour] += 1
        seen, off = self._hour_seen[hour], value - self._hour_mean[hour]
        rate = max(1 / seen, _HOUR_RATE)
        if seen > _HOUR_WARM:
            off = clamp(off, 6 * self._hour_spread[hour] + 1e-9)
        self._hour_mean[hour] += rate * off
        self._hour_spread[hour] += rate * (abs(off) - self._hour_spread[hour])
