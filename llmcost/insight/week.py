"""What is dear in the same hour of each week: a batch job on Monday morning is no news from the third week on."""

from __future__ import annotations

import math
from array import array
from typing import ClassVar, Final

from llmcost.insight.state import Resumable

HOURS: Final = 168
_STEP: Final = 0.35
"""Logs are kept in steps of this size, rounded up: a factor of 1.4."""
_MOST: Final = 15
"""The highest step that fits in half a byte: about 190 times the usual."""
_FADE: Final = 4
"""Steps that a habit loses in a week in which it is missed."""
_WEEKS: Final = 2
"""So many weeks must have ended: in the second one, no hour may speak for the next."""


class WeekHabit(Resumable):
    """Remembers by hour of the week how far its dearest bucket was above the usual, last week and each week.

    A byte an hour: the upper half holds what was seen in each of the last two weeks, the lower half what was seen last
    week. A spike that came once is no habit, and a habit fades where it is missed.
    """

    __slots__ = ("_hour", "_hours", "_peak", "_weeks")
    STATE: ClassVar[tuple[str, ...]] = ("_hour", "_hours", "_peak", "_weeks")

    def __init__(self) -> None:
        self._hours = array("B", [0]) * HOURS
        self._hour = 0
        self._peak = 0.0
        self._weeks = 0

    def known(self, hour: int) -> float:
        """How far above the usual spend is known to be in this hour of the week or in those beside it, as a log. Zero
        where there is no such habit."""
        if self._weeks < _WEEKS:
            return 0.0
        hours = self._hours
        steps = max(hours[hour - 1], hours[hour], hours[(hour + 1) % HOURS]) >> 4
        return _STEP * (steps + 1) if steps else 0.0

    def learn(self, hour: int, above: float) -> None:
        """Take in a bucket of an hour of the week, so far above the usual (a log)."""
        if hour != self._hour:
            self._close()
            self._weeks += hour < self._hour
            self._hour = hour
        self._peak = max(self._peak, above)

    def _close(self) -> None:
        before = self._hours[self._hour]
        steps = min(_MOST, math.ceil(self._peak / _STEP)) if self._peak > _STEP else 0
        each = max(min(steps, before & 15), (before >> 4) - _FADE)
        self._hours[self._hour] = max(each, 0) << 4 | steps
        self._peak = 0.0
