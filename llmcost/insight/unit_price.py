"""Has a call become dearer? The best sign there is of a changed model or a swollen prompt."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from llmcost.insight.moments import clamp
from llmcost.insight.state import Resumable

_HALF_TRUSTED_CALLS: Final = 5
_MEMORY: Final = 0.5
_RATE: Final = 0.02


class UnitPrice(Resumable):
    """Follows the cost of a call.

    Attributes:
        usual: log of the usual cost of a call; None before the first one.
    """

    __slots__ = ("_above", "usual")
    STATE: ClassVar[tuple[str, ...]] = ("_above", "usual")

    def __init__(self) -> None:
        self.usual: float | None = None
        self._above = 0.0

    def score(self, cost: float, calls: float, start_rate: float) -> float:
        """How far above the usual a call of this bucket is: a log ratio, weaker where there are few calls. Then learn.

        Args:
            cost: USD of the bucket.
            calls: how many calls that was.
            start_rate: the rate of a plain average over what was seen so far.
        """
        if calls <= 0 or cost <= 0:
            self._above *= 1 - _MEMORY
            return 0.0
        price = math.log(cost / calls)
        if self.usual is None:
            self.usual = price
        trust = calls / (calls + _HALF_TRUSTED_CALLS)
        off = price - self.usual
        self._above += _MEMORY * (clamp(trust * off, 2.0) - self._above)
        self.usual += max(_RATE, start_rate) * trust * clamp(off, 0.5)
        return max(0.0, self._above)
