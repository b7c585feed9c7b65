"""How rare a value is in a series' own past, from 64 counters."""

from __future__ import annotations

import math
from array import array
from typing import ClassVar, Final

from llmcost.insight.state import Resumable

_BINS: Final = 64
_LOWEST: Final = 0.05
_STEP: Final = 0.14
"""Bins grow by this log; the last begins at about 340 times the lowest."""


class TailMeter(Resumable):
    """Counts past values in bins of equal ratio.

    Args:
        overshoot: what a value above all that was seen adds, per log of its excess.
        quiet: values to see before anything is called rare.
        most: rarity that rank alone can give. In a long series each record is rare; by how much it is one says more.
    """

    __slots__ = ("_counts", "_limit", "_most", "_overshoot", "_quiet", "_seen")
    STATE: ClassVar[tuple[str, ...]] = ("_counts", "_most", "_seen")

    def __init__(self, overshoot: float, quiet: int, most: float = math.inf) -> None:
        self._overshoot = overshoot
        self._quiet = quiet
        self._counts = array("I", [0]) * _BINS
        self._limit = most
        self._most = 0.0
        self._seen = 0

    def rarity(self, value: float) -> float:
        """Minus log10 of the share of past values above this one, and more beyond the record; then learn the value."""
        seen, rare = self._seen, 0.0
        self._seen = seen + 1
        if value <= _LOWEST:
            self._most = max(self._most, value)
            return 0.0
        index = min(_BINS - 1, int(math.log(value / _LOWEST) / _STEP))
        counts = self._counts
        if seen >= self._quiet:
            if value > self._most:
                rare = min(self._limit, math.log10(seen + 1))
                if self._most > 0:
                    rare += self._overshoot * min(math.log(value / self._most), 3.0)
            else:
                above = sum(counts[index + 1 :]) + 0.5 * counts[index]
                rare = min(self._limit, -math.log10((above + 1) / (seen + 1)))
        counts[index] += 1
        self._most = max(self._most, value)
        return rare
