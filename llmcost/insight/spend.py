"""The judge of spend: volume at this hour, and the cost of a call."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Literal

from llmcost.insight import fitted
from llmcost.insight.grades import HOLD_S, grade
from llmcost.insight.restless import Restless
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
_MEDIUM: Final = fitted.VOLUME_LEVELS[1]


class SpendJudge(Resumable):
    """Weighs one bucket after the other.

    Attributes:
        channel: what the last grade comes from.
        dearer: the part of the last grade that dearer calls alone give.
        expected: the usual spend of the last bucket, USD.
    """

    __slots__ = ("_restless", "_seen", "_unit", "_volume", "_warm", "channel", "dearer", "expected")
    STATE: ClassVar[tuple[str, ...]] = ("_restless", "_seen", "_unit", "_volume")

    def __init__(self, bucket_s: float) -> None:
        self._volume = VolumeScore(bucket_s / TEN_MINUTES)
        self._unit = UnitPrice()
        self._restless = Restless(bucket_s, max(1, int(HOLD_S / bucket_s)))
        self._warm = int(_DAY / bucket_s)
        self._seen = 0
        self.channel: Channel = "volume"
        self.dearer = 0.0
        self.expected = 0.0

    @property
    def usual_call(self) -> float | None:
        """The usual cost of a call, USD; None before the first call."""
        return None if self._unit.usual is None else math.exp(self._unit.usual)

    def weigh(self, cost: float, calls: float, begin: float) -> float:
        """How bad the bucket that began at a Unix time is: 1 low, 2 medium, 3 high and above. Always 0 on a key's first
        day."""
        hour = int(begin // _HOUR) % HOURS
        start_rate = 1 / (self._seen + 2)
        strange = self._volume.score(cost, hour)
        self.expected = self._volume.expected
        unit = grade(self._unit.score(cost, calls, start_rate), UNIT_LEVELS) * self._volume.news
        self._seen += 1
        if self._seen <= self._warm:
            self.dearer = 0.0
            return 0.0
        volume = grade(self._restless.tempered(strange, _MEDIUM), fitted.VOLUME_LEVELS)
        self.channel = "unit" if unit > volume else "volume"
        self.dearer = unit
        return max(volume, unit)
