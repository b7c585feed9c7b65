"""A key that was reported of late has to do more to be reported again: spend that jumps each day is its habit."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from llmcost.insight.state import Resumable

_RISE: Final = 0.2
"""What each outbreak adds to what the next one needs, as a share of the score."""
_FADE_S: Final = 3 * 86400.0
"""After so long, 1/e of the rise is left."""


class Restless(Resumable):
    """Lowers the scores of a key after outbreaks, but not while one goes on.

    Args:
        bucket_s: length of a bucket in seconds.
        hold: buckets below the level after which an outbreak is over.
    """

    __slots__ = ("_calm", "_fade", "_hold", "_rise")
    STATE: ClassVar[tuple[str, ...]] = ("_calm", "_rise")

    def __init__(self, bucket_s: float, hold: int) -> None:
        self._fade = math.exp(-bucket_s / _FADE_S)
        self._hold = hold
        self._calm = hold
        self._rise = 0.0

    def tempered(self, score: float, level: float) -> float:
        """The score of the next bucket, lowered where there were outbreaks of late.

        Args:
            score: how far out of the ordinary the bucket is.
            level: the score from which that is an outbreak.
        """
        over = self._calm >= self._hold
        if self._rise:
            self._rise *= self._fade
            if over:
                score /= 1 + self._rise
        if score < level:
            self._calm += 1
            return score
        if over:
            self._rise += _RISE
        self._calm = 0
        return score
