"""How rare a value is in a series' own past, from 64 counters."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from llmcost.insight.state import Resumable

_BINS: Final = 64
_ROW: Final = 8
"""Bins are added up in rows of so many: what is above a value is then a short sum."""
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

    __slots__ = ("_counts", "_limit", "_most", "_overshoot", "_quiet", "_seen", "_sums")
    STATE: ClassVar[tuple[str, ...]] = ("_counts", "_most", "_seen")

    def __init__(self, overshoot: float, quiet: int, most: float = math.inf) -> None:
        self._overshoot = overshoot
        self._quiet = quiet
        self._counts = array("I", [0]) * _BINS
        self._sums = array("I", [0]) * (_BINS // _ROW)
        self._limit = most
        self._most = 0.0
        self._seen = 0

    def load(self, values: Sequence[Any]) -> None:
        """Take up the state that :meth:`dump` wrote."""
        super().load(values)
        self._sums = array("I", [sum(self._counts[at : at + _ROW]) for at in range(0, _BINS, _ROW)])

    def rarity(self, value: float) -> float:
        """Minus log10 of the share of past values above this one, and more beyond the record; then learn the value."""
        seen, most = self._seen, self._most
        index = self.learn(value)
        if index < 0 or seen < self._quiet:
            return 0.0
        if value > most:
            rare = min(self._limit, math.log10(seen + 1))
            return rare + self._overshoot * min(math.log(value / most), 3.0) if most > 0 else rare
        row = index // _ROW + 1
        beyond = sum(self._sums[row:]) + sum(self._counts[index + 1 : row * _ROW])
        # The value itself is among those in its bin by now.
        above = beyond + 0.5 * (self._counts[index] - 1)
        return min(self._limit, -math.log10((above + 1) / (seen + 1)))

    def learn(self, value: float) -> int:
        """Count a value, where nobody asks how rare it is; returns its bin, or -1 where it is too low for one."""
        self._seen += 1
        if value > self._most:
            self._most = value
        if value <= _LOWEST:
            return -1
        index = int(math.log(value / _LOWEST) / _STEP)
        if index >= _BINS:
            index = _BINS - 1
        self._counts[index] += 1
        self._sums[index // _ROW] += 1
        return index
