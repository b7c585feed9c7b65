"""What will be spent, as a distribution: quantiles of past errors, stretched to the series' own size of error.

No bell curve stands anywhere: spend jumps up further than it falls, so the pooled errors of real series are used.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from llmcost.insight.fitted import LEVELS

ENOUGH_DAYS: Final = 7
"""Fewer whole days than this are not enough history for a number that is shown to people."""
SOFTENING: Final = 0.02
"""Share of the forecast that is added on both sides before a logarithm, so that silence is not minus infinity."""
_LOWER_DECAY: Final = 2.2
_UPPER_DECAY: Final = 1.1
"""How fast the chances fall beyond the outermost quantiles, per unit of the standardised error."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """``spent`` plus all that will be spent until the end of the period, in USD.

    Attributes:
        spent: what is spent already, and certain.
        ahead: the plain forecast of what is still to come.
        scale: the series' usual error, as a logarithm.
        errors: standardised errors at ``LEVELS``, for this distance.
        history_days: whole days that the forecaster had seen.
    """

    spent: float
    ahead: float
    scale: float
    errors: Sequence[float]
    history_days: int

    @property
    def enough_history(self) -> bool:
        """Whether the numbers rest on at least a week. If not, say so in place of showing them."""
        return self.history_days >= ENOUGH_DAYS

    @property
    def mean(self) -> float:
        """The point forecast. It is the median, which is what an absolute percentage error rewards; the arithmetic
        mean is :attr:`expected`."""
        return self.quantile(0.5)

    @property
    def expected(self) -> float:
        """The arithmetic mean over the quantiles. It is above the median, since spend jumps up further than down."""
        return self._moment(1)

    @property
    def std(self) -> float:
        """Standard deviation over the quantiles."""
        return math.sqrt(max(0.0, self._moment(2) - self._moment(1) ** 2))

    def quantile(self, p: float) -> float:
        """The total that is not passed with probability ``p`` (0 to 1)."""
        return self._total(_between(LEVELS, self.errors, p))

    def lower(self, level: float = 0.95) -> float:
        """Lower end of the interval that holds the total with probability ``level``."""
        return self.quantile((1 - level) / 2)

    def upper(self, level: float = 0.95) -> float:
        """Upper end of the interval that holds the total with probability ``level``."""
        return self.quantile((1 + level) / 2)

    def p_exceed(self, budget: float) -> float:
        """The chance that the total is above ``budget`` (USD)."""
        room = budget - self.spent
        if room < 0:
            return 1.0
        if self.ahead <= 0:
            return 0.0
        error = math.log((room / self.ahead + SOFTENING) / (1 + SOFTENING)) / self.scale
        first, last = self.errors[0], self.errors[-1]
        if error <= first:
            return 1 - LEVELS[0] * math.exp(_LOWER_DECAY * (error - first))
        if error >= last:
            return (1 - LEVELS[-1]) * math.exp(_UPPER_DECAY * (last - error))
        return 1 - _between(self.errors, LEVELS, error)

    def _total(self, error: float) -> float:
        stretched = (1 + SOFTENING) * math.exp(self.scale * error) - SOFTENING
        return self.spent + self.ahead * max(0.0, stretched)

    def _moment(self, power: int) -> float:
        """Mean of a power of the total, each quantile standing for the probability around it."""
        edges = [0.0, *((a + b) / 2 for a, b in pairwise(LEVELS)), 1.0]
        masses = [b - a for a, b in pairwise(edges)]
        return sum(mass * self._total(error) ** power for mass, error in zip(masses, self.errors, strict=True))


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Straight-line interpolation of a rising table; flat beyond its ends."""
    if x <= xs[0]:
        return ys[0]
    if x >= xs[-1]:
        return ys[-1]
    index = bisect_left(xs, x)
    width = xs[index] - xs[index - 1]
    share = (x - xs[index - 1]) / width if width > 0 else 1.0
    return ys[index - 1] + share * (ys[index] - ys[index - 1])
