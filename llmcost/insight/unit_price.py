"""Has a call become dearer? The best sign there is of a changed model or a swollen prompt."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from llmcost.insight.moments import clamp
from llmcost.insight.state import Resumable

_HALF_TRUSTED_CALLS: Final = 5
_MEMORY: Final = 0.5
_RATE: Final = 0.02
_LONG_MEMORY: Final = 0.85
_SILENT_MEMORY: Final = 0.97
_FEW_CALLS: Final = 60.0
"""Calls in the long memory up to which it counts: where there are more, the short one knows enough, and sooner."""
_PRIOR_CALLS: Final = 3.0
"""Calls as dear as usual that stand against what is in the long memory."""


class UnitPrice(Resumable):
    """Follows the cost of a call: over the last bucket or two, and over the last hour where calls are few.

    Attributes:
        usual: log of the usual cost of a call; None before the first one.
    """

    __slots__ = ("_above", "_calls", "_excess", "usual")
    STATE: ClassVar[tuple[str, ...]] = ("_above", "_calls", "_excess", "usual")

    def __init__(self) -> None:
        self.usual: float | None = None
        self._above = 0.0
        self._calls = 0.0
        self._excess = 0.0

    def score(self, cost: float, calls: float, start_rate: float) -> float:
        """How far above the usual a call of this bucket is: a log ratio, weaker where there are few calls. Then learn.

        Args:
            cost: USD of the bucket.
            calls: how many calls that was.
            start_rate: the rate of a plain average over what was seen so far.
        """
        if calls <= 0 or cost <= 0:
            self._above *= 1 - _MEMORY
            self._calls *= _SILENT_MEMORY
            self._excess *= _SILENT_MEMORY
            return 0.0
        price = math.log(cost / calls)
        if self.usual is None:
            self.usual = price
        trust = calls / (calls + _HALF_TRUSTED_CALLS)
        off = price - self.usual
        self._above += _MEMORY * (clamp(trust * off, 2.0) - self._above)
        self.usual += max(_RATE, start_rate) * trust * clamp(off, 0.5)
        few = self._over_the_hour(off, calls)
        return max(0.0, self._above, few)

    def _over_the_hour(self, off: float, calls: float) -> float:
        """How far above the usual the last calls were together, where they are few."""
        self._calls = _LONG_MEMORY * self._calls + calls
        self._excess = _LONG_MEMORY * self._excess + calls * clamp(off, 2.0)
        return self._excess / (self._calls + _PRIOR_CALLS) if self._calls < _FEW_CALLS else 0.0
