"""A series' own track record: how good its forecasts were, and which member was best."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar, Final

from llmcost.insight.daily import MEMBERS
from llmcost.insight.state import Resumable

HORIZONS: Final = (1, 3, 7, 14)
"""Days ahead at which the forecasts are held against what came."""
_JUDGED_AT: Final = 7
"""Days ahead at which the members are compared."""
_JUDGED_INDEX: Final = HORIZONS.index(_JUDGED_AT)
_PRIOR_WEIGHTS: Final = (1.0, 1.0, 0.7, 0.4)
_ERROR_RATE: Final = 0.05
_MOST_COUNTED: Final = 20
"""From so many errors on, what came long ago is forgotten."""
_LOSS_RATE: Final = 0.1
_BEST: Final = 1e-6
_START_LOSS: Final = 0.2
_WORST: Final = 1.5
_PRIOR_ERROR: Final = 0.4
_PRIOR_DAYS: Final = 3
"""A new series is taken to err by ``_PRIOR_ERROR``, with the weight of so many observations."""
_LEAST_LOG: Final = math.log(0.02)
_MOST_LOG: Final = math.log(3.0)


def gap(actual: float, forecast: float) -> float:
    """Distance of two totals: the absolute log of their ratio, at most 1.5."""
    soft = 0.02 * forecast + 1e-12
    error = abs(math.log((actual + soft) / (forecast + soft)))
    return error if error < _WORST else _WORST


class TrackRecord(Resumable):
    """Keeps the forecasts that are not yet due, and the running errors of those that were.

    Attributes:
        errors: mean error at each of ``HORIZONS``.
        counts: how many forecasts were judged at each.
        losses: mean error of each member's total of a week.
    """

    __slots__ = ("_members", "_own", "counts", "errors", "losses")
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self.errors = [0.0] * len(HORIZONS)
        self.counts = [0] * len(HORIZONS)
        self.losses = [_START_LOSS] * MEMBERS
        self._own: list[list[float]] = [[] for _ in HORIZONS]
        self._members: deque[list[float]] = deque(maxlen=_JUDGED_AT)

    def judge(self, recent: Sequence[float]) -> None:
        """Hold the forecasts that are due against the days that came; ``recent`` ends with the day just over."""
        counts, errors = self.counts, self.errors
        totals = [sum(recent[-horizon:]) for horizon in HORIZONS]
        for index, waiting in enumerate(self._own):
            if len(waiting) < HORIZONS[index]:
                continue
            count = counts[index] = counts[index] + 1
            rate = 1 / count if count < _MOST_COUNTED else _ERROR_RATE
            errors[index] += rate * (gap(totals[index], waiting.pop(0)) - errors[index])
        if len(self._members) == _JUDGED_AT:
            total = totals[_JUDGED_INDEX]
            self.losses = [
                loss + _LOSS_RATE * (gap(total, forecast) - loss)
                for loss, forecast in zip(self.losses, self._members.popleft(), strict=True)
            ]

    def note(self, path: Sequence[float], members: list[float]) -> None:
        """Keep the forecasts made today: the path of the next 14 days, and the members' totals of the next week."""
        totals = list(accumulate(path))
        for waiting, horizon in zip(self._own, HORIZONS, strict=True):
            waiting.append(totals[horizon - 1])
        self._members.append(members)

    def weights(self) -> list[float]:
        """The members' weights: better members count more, none is ever out."""
        losses = [loss if loss > _BEST else _BEST for loss in self.losses]
        best = min(losses)
        raw = [prior * (best / loss) ** 2 for prior, loss in zip(_PRIOR_WEIGHTS, losses, strict=True)]
        total = sum(raw)
        return [weight / total for weight in raw]

    def signs(self) -> list[float]:
        """Logs of the running errors, with the prior of a new series: what the scale of the next error hangs on."""
        return [shrunk_log(error, count) for error, count in zip(self.errors, self.counts, strict=True)]


def shrunk_log(error: float, count: int) -> float:
    """Log of an error seen ``count`` times, drawn to the usual error of a new series."""
    shrunk = (error * count + _PRIOR_ERROR * _PRIOR_DAYS) / (count + _PRIOR_DAYS)
    if shrunk < 0.02:
        return _LEAST_LOG
    return math.log(shrunk) if shrunk < 3.0 else _MOST_LOG
