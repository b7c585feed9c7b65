"""Has the share of failed or repeated calls gone up?"""

from __future__ import annotations

import math
from typing import ClassVar, Final

from llmcost.insight.grades import grade
from llmcost.insight.state import Resumable

_LEVELS: Final = (4.0, 6.0, 10.0)
"""Standard deviations of a count above what the usual share gives."""
_MEMORY: Final = 0.5
_RATE: Final = 0.01
_PRIOR_SHARE: Final = 0.02
_FEWEST: Final = 3.0
_LEAST_RISE: Final = 0.1
"""Fewer events, or a smaller rise of the share, are no news however even the series was."""


class ShareJudge(Resumable):
    """Weighs how many calls of each bucket were of a kind, against the usual share.

    Attributes:
        usual: the usual share, 0 to 1.
    """

    __slots__ = ("_calls", "_events", "_seen", "_warm", "usual")
    STATE: ClassVar[tuple[str, ...]] = ("_calls", "_events", "_seen", "usual")

    def __init__(self, warm: int) -> None:
        self._warm = warm
        self._seen = 0
        self._calls = 0.0
        self._events = 0.0
        self.usual = _PRIOR_SHARE

    def weigh(self, events: float, calls: float) -> float:
        """How bad a bucket is: 1 low, 2 medium, 3 high and above; 0 until the key is ``warm`` buckets old."""
        self._seen += 1
        self._calls = (1 - _MEMORY) * self._calls + calls
        self._events = (1 - _MEMORY) * self._events + events
        if calls <= 0:
            return 0.0
        expected = self._calls * self.usual
        distance = (self._events - expected) / math.sqrt(expected * (1 - self.usual) + 1)
        share = self._events / self._calls
        rate = max(_RATE, 1 / (self._seen + 2)) * calls / (calls + 1)
        # A bad hour must not become the habit: the share is learnt in small steps only.
        self.usual += rate * min(events / calls - self.usual, 2 * _LEAST_RISE)
        if self._seen <= self._warm or self._events < _FEWEST or share < self.usual + _LEAST_RISE:
            return 0.0
        return grade(max(0.0, distance), _LEVELS)
