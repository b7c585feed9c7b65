"""Running mean and variance that forget."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from llmcost.insight.state import Resumable

_TINY: Final = 1e-18


class Moments(Resumable):
    """Exponentially weighted mean and variance; a plain average until there is enough to forget."""

    __slots__ = ("_rate", "mean", "variance")
    STATE: ClassVar[tuple[str, ...]] = ("mean", "variance")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.mean = 0.0
        self.variance = 0.0

    def distance(self, value: float) -> float:
        """How many standard deviations a value is above the mean; 0 where there is no deviation yet."""
        variance = self.variance
        return (value - self.mean) / math.sqrt(variance + _TINY) if variance > 0 else 0.0

    def learn(self, value: float, start_rate: float) -> None:
        """Take in a value; ``start_rate`` is the rate of a plain average over what was seen so far."""
        rate = self._rate if self._rate > start_rate else start_rate
        off = value - self.mean
        self.mean += rate * off
        self.variance = (1 - rate) * (self.variance + rate * off * off)


def clamp(value: float, bound: float) -> float:
    """The value, held between minus ``bound`` and ``bound``."""
    if value > bound:
        return bound
    return value if value > -bound else -bound
