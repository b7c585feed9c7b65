"""How a day's spend is spread over its hours, for forecasts made in the middle of a day."""

from __future__ import annotations

from typing import ClassVar, Final

from llmcost.insight.state import Resumable

_HOURS: Final = 24
_RATE: Final = 0.06
_FEWEST: Final = 3
"""Days with spend in fewer hours say nothing about the hours (totals booked once a day, for example)."""


class HourProfile(Resumable):
    """Learns the share of each hour in a day's spend."""

    __slots__ = ("_days", "_shares", "_today")
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self._days = 0
        self._shares = [1 / _HOURS] * _HOURS
        self._today = [0.0] * _HOURS

    def add(self, second: float, cost: float) -> None:
        """Book ``cost`` at a second of the day."""
        self._today[int(second // 3600)] += cost

    def close(self) -> None:
        """The day is over: learn its hours."""
        total = sum(self._today)
        if total > 0 and sum(1 for cost in self._today if cost > 0) >= _FEWEST:
            self._days += 1
            rate = max(_RATE, 1 / (self._days + 1))
            self._shares = [s + rate * (c / total - s) for s, c in zip(self._shares, self._today, strict=True)]
        self._today = [0.0] * _HOURS

    def elapsed(self, second: float) -> float:
        """The share of a usual day's spend that is over at a second of the day (0 to 1)."""
        hour = min(int(second // 3600), _HOURS - 1)
        share = sum(self._shares[:hour]) + (second / 3600 - hour) * self._shares[hour]
        return min(max(share, 0.0), 1.0)
