"""The judge of spend: volume at this hour, and the cost of a call."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Literal

from llmcost.insight import fitted
from llmcost.insight.grades import grade
from llmcost.insight.state import Resumable
from llmcost.insight.unit_price import UnitPrice
from llmcost.insight.volume import VolumeScore
from llmcost.insight.week import HOURS

Channel = Literal["volume", "unit"]

TEN_MINUTES: Final = 600.0
_DAY: Final = 86400.0
_HOUR: Final = 3600.0
UNIT_LEVELS: Final = (1.1, 1.2, 1.35)
"""Logs of the cost of a call over the usual: 3.0, 3.3 and 3.9 times as dear."""


class SpendJudge(Resumable):
    """Weighs one bucket after the other.

    Attributes:
        channel: what the last grade comes from.
        expected: the usual spend of the last bucket, USD.
    """

    __slots__ = ("_seen", "_unit", "_volume", "_warm", "channel", "expected")
    STATE: ClassVar[tuple[str, ...]] = ("_seen", "_unit", "_volume")

    def __init__(self, bucket_s: float) -> None:
        self._volume = VolumeScore(bucket_s / TEN_MINUTES)
        self._unit = UnitPrice()
        self._warm = int(_DAY / bucket_s)
        self._seen = 0
        self.channel: Channel = "volume"
        self.expected = 0.0

    @property
    def usual_call(self) -> float | None:
        """The usual cost of a call, USD; None before the first call."""
        return None if self._unit.usual is None else math.exp(self._unit.usual)

    def weigh(self, cost: float, calls: float, begin: float) -> float:
        """How bad the bucket that began at a Unix time is: 1 low, 2 medium, 3 high and above. Always 0 on a key's first
        day."""
        hour = int(begin // _HOUR) % HOURS
        self.expected = self._volume.expected(hour)
        start_rate = 1 / (self._seen + 2)
        volume = grade(self._volume.score(cost, hour), fitted.VOLUME_LEVELS)
        unit = grade(self._unit.score(cost, calls, start_rate), UNIT_LEVELS) * self._volume.news
        self._seen += 1
        self.channel = "unit" if unit > volume else "volume"
        return max(volume, unit) if self._seen > self._warm else 0.0
