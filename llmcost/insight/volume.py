"""Is this bucket's spend out of the ordinary for this key at this hour?"""

from __future__ import annotations

import math
from array import array
from typing import ClassVar, Final

from llmcost.insight.moments import Moments, clamp
from llmcost.insight.state import Resumable
from llmcost.insight.tails import TailMeter
from llmcost.insight.week import WeekHabit

SLOTS: Final = 24
_SOFTENING: Final = 0.1
"""Share of the usual spend that is added before a logarithm: quiet hours must not shout."""
_OVERSHOOT: Final = 5.0
_QUIET_BUCKETS: Final = 72
_HALF_DAY_SHARE: Final = 0.3
"""Weight of the rarity against the last half day."""
_PLAIN_SHARE: Final = 1 / 6
"""Weight of the plain score beside the rarities: it keeps the order of what is beyond every record."""
_MATTERS: Final = math.log(1.5)
"""Below 1.5 times the usual a bucket counts less, however rare it is: a very even key must stay quiet too."""
_SPARSE: Final = 0.75
"""Below this share of buckets with spend, a key that calls at all is no news; a call larger than its calls is."""
_ACTIVE_RATE: Final = 0.05
_HOUR_RATE: Final = 0.04
_HOUR_KNOWN: Final = 6
"""Buckets after which the habit at an hour counts in full."""
_QUANTILE: Final = 0.97
_QUANTILE_RATE: Final = 0.03


class VolumeScore(Resumable):
    """Scores the spend of each bucket, and learns it with bounded steps: one bad bucket can't poison the state.

    Three views, each of another kind of surprise: the distance from the last half day, from the last days, and from the
    habit at this hour. The score adds up how rare each is in the key's own past, the first with less weight, since
    jumps that are usual are rare in it too. What is dear in the same hour of each week counts only where it is above
    even that.

    Attributes:
        expected: the usual spend of the last bucket, as it was known before it, USD.
        news: the share of the last bucket (0 to 1) that neither a weekly habit explains nor, for a key of few calls,
            that one of its usual calls came.

    Args:
        ratio: bucket length over ten minutes; the rates were fitted on ten-minute buckets.
    """

    __slots__ = (
        "_active",
        "_active_size",
        "_habit",
        "_half_day",
        "_hours",
        "_level",
        "_level_rate",
        "_scale",
        "_scale_rate",
        "_seen",
        "_seen_hours",
        "_some_days",
        "_tails",
        "_week",
        "expected",
        "news",
    )
    STATE: ClassVar[tuple[str, ...]] = (
        "_active",
        "_active_size",
        "_habit",
        "_half_day",
        "_hours",
        "_level",
        "_scale",
        "_seen",
        "_seen_hours",
        "_some_days",
        "_tails",
        "_week",
    )

    def __init__(self, ratio: float) -> None:
        self._half_day = Moments(min(0.5, 0.014 * ratio))
        self._some_days = Moments(min(0.3, 0.005 * ratio))
        self._level_rate = min(0.3, 0.007 * ratio)
        self._scale_rate = min(0.3, 0.005 * ratio)
        self._scale = 0.0
        self._level = 0.0
        self._habit = 0.8
        self._hours = array("d", [0.0]) * SLOTS
        self._seen_hours = array("I", [0]) * SLOTS
        self._seen = 0
        self._active = 0.0
        self._active_size: float | None = None
        self._tails = tuple(TailMeter(_OVERSHOOT, _QUIET_BUCKETS) for _ in range(3))
        self._week = WeekHabit()
        self.news = 1.0
        self.expected = 0.0

    def score(self, value: float, hour: int) -> float:
        """How far out of the ordinary a bucket in this hour of the week is; 0 to about 10 in everyday life. Then learn
        it."""
        self.news = 1.0
        self.expected = 0.0
        if self._scale == 0.0:
            if value <= 0:
                return 0.0
            self._begin(value)
        slot = hour % SLOTS
        habit, known = self._hour(slot), self._week.known(hour)
        usual = math.exp(self._level + habit + known) - _SOFTENING
        if usual > 0.0:
            self.expected = self._scale * usual
        logged = math.log(_SOFTENING + value / self._scale)
        strange = logged - self._level - habit
        plain = self._plain(value, strange)
        self._learn(value, logged, strange, slot)
        self._week.learn(hour, strange)
        if known:
            self.news = _share(strange - known)
        self._note_activity(value)
        return _share(strange) * self.news * plain if plain > 0.0 else 0.0

    def _plain(self, value: float, strange: float) -> float:
        """The rarities and the distances, added up; 0 where the spend is below the usual, which is never told."""
        near, far = clamp(self._half_day.distance(value), 60.0), clamp(self._some_days.distance(value), 60.0)
        unusual = strange / self._habit
        half_day, some_days, hours = self._tails
        if strange <= 0.0:
            half_day.learn(near)
            some_days.learn(far)
            hours.learn(unusual)
            return 0.0
        rare = _HALF_DAY_SHARE * half_day.rarity(near) + some_days.rarity(far) + hours.rarity(unusual)
        return rare + _PLAIN_SHARE * (near + 2 * unusual)

    def _note_activity(self, value: float) -> None:
        """Learn how often there is spend and how much at once; a usual call of a sparse key is no news."""
        start, rate = 1 / (self._seen + 1), self._level_rate
        self._active += (start if start > rate else rate) * ((value > 0) - self._active)
        if value <= 0:
            return
        size = math.log(value)
        if self._active_size is None:
            self._active_size = size
        above = size - self._active_size
        if self._active < _SPARSE:
            self.news *= _share(above)
        self._active_size += _ACTIVE_RATE * clamp(above, 1.0)

    def _begin(self, value: float) -> None:
        self._scale = value
        self._half_day.mean = self._some_days.mean = value
        self._level = math.log(1 + _SOFTENING)

    def _hour(self, slot: int) -> float:
        seen = self._seen_hours[slot]
        return self._hours[slot] if seen >= _HOUR_KNOWN else self._hours[slot] * (seen / _HOUR_KNOWN)

    def _learn(self, value: float, logged: float, strange: float, slot: int) -> None:
        self._seen += 1
        start = 1 / (self._seen + 1)
        habit = self._habit
        step = _QUANTILE_RATE * (habit if habit > 0.15 else 0.15)
        habit += step * (_QUANTILE if strange > habit else _QUANTILE - 1)
        self._habit = habit if habit > 0.1 else 0.1
        self._level += max(self._level_rate, start) * clamp(logged - self._level, 1.5)
        self._learn_hour(logged - self._level, slot)
        self._half_day.learn(value, start)
        self._some_days.learn(value, start)
        scale = self._scale
        grown = (value if value < 20 * scale else 20 * scale) - scale
        self._scale = max(1e-12, scale + max(self._scale_rate, start) * grown)

    def _learn_hour(self, above: float, slot: int) -> None:
        seen = self._seen_hours[slot] = self._seen_hours[slot] + 1
        rate = max(_HOUR_RATE, 1 / (seen + 1))
        self._hours[slot] += rate * (clamp(above, 2.5) - self._hours[slot])


def _share(above: float) -> float:
    if above >= _MATTERS:
        return 1.0
    return (above / _MATTERS) ** 3 if above > 0.0 else 0.0
