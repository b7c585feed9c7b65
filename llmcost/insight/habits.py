"""A key's usual calls, kept to say what changed."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from llmcost.insight.samples import Tally
from llmcost.insight.state import Resumable

_RATE: Final = 0.02
_MODELS: Final = 4
_FORGOTTEN: Final = 0.01


class Habits(Resumable):
    """Learns tokens a call, calls a bucket and the model of most calls.

    Attributes:
        calls: calls of a bucket that has any.
    """

    __slots__ = ("_models", "_seen", "_tokens", "calls")
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self.calls = 0.0
        self._tokens: float | None = None
        self._models: list[list[str | float]] = []
        self._seen = 0

    @property
    def tokens(self) -> float | None:
        """Usual tokens of a call; None where none were told."""
        return None if self._tokens is None else math.exp(self._tokens)

    @property
    def model(self) -> str | None:
        """The usual model; None where none was told."""
        best = max(self._models, key=lambda row: (float(row[1]), str(row[0])), default=None)
        return None if best is None else str(best[0])

    def learn(self, tally: Tally) -> None:
        """Take in a bucket's calls."""
        if tally.calls <= 0:
            return
        self._seen += 1
        rate = max(_RATE, 1 / self._seen)
        self.calls += rate * (tally.calls - self.calls)
        if tally.tokens > 0:
            logged = math.log(tally.tokens / tally.calls)
            self._tokens = logged if self._tokens is None else self._tokens + rate * (logged - self._tokens)
        self._learn_models(tally, rate)

    def _learn_models(self, tally: Tally, rate: float) -> None:
        shares = {str(name): float(calls) / tally.calls for name, calls in tally.models}
        for row in self._models:
            row[1] = float(row[1]) + rate * (shares.pop(str(row[0]), 0.0) - float(row[1]))
        self._models = [row for row in self._models if float(row[1]) > _FORGOTTEN]
        for name, share in shares.items():
            if len(self._models) < _MODELS:
                self._models.append([name, rate * share])
