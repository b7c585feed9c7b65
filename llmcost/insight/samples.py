"""What is told to the watch, and sums of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from llmcost.insight.state import Resumable

_MODELS: Final = 4
"""Models told apart in one sum; further ones count, but are not named."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call, or the sum of several of one model.

    Attributes:
        cost: USD; None where no price is known, which is not zero.
        calls: how many calls.
        tokens: input plus output tokens.
        errors: calls that failed.
        retries: calls that repeated an earlier one.
        model: name of the model.
    """

    cost: float | None
    calls: int = 1
    tokens: int = 0
    errors: int = 0
    retries: int = 0
    model: str | None = None


class Tally(Resumable):
    """A sum of samples, or of what is left of them."""

    __slots__ = ("calls", "cost", "errors", "models", "priced", "retries", "tokens")
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self.cost = 0.0
        self.calls = 0.0
        self.priced = 0.0
        self.tokens = 0.0
        self.errors = 0.0
        self.retries = 0.0
        self.models: list[list[str | float]] = []

    def add(self, sample: Sample) -> None:
        """Add a sample; calls of unknown price count as calls, and not into the cost of a call."""
        if sample.cost is not None:
            self.cost += sample.cost
            self.priced += sample.calls
        self.calls += sample.calls
        self.tokens += sample.tokens
        self.errors += sample.errors
        self.retries += sample.retries
        if sample.model is not None and sample.calls:
            self._count(sample.model, sample.calls)

    def merge(self, other: Tally) -> None:
        """Add another sum."""
        self.cost += other.cost
        self.calls += other.calls
        self.priced += other.priced
        self.tokens += other.tokens
        self.errors += other.errors
        self.retries += other.retries
        for name, calls in other.models:
            self._count(str(name), float(calls))

    def fade(self, share: float) -> None:
        """Keep only a share of the sum, so that what follows counts more."""
        self.cost *= share
        self.calls *= share
        self.priced *= share
        self.tokens *= share
        self.errors *= share
        self.retries *= share
        for row in self.models:
            row[1] = float(row[1]) * share

    @property
    def main_model(self) -> str | None:
        """The model of most calls; None where no model was told."""
        best = max(self.models, key=lambda row: (float(row[1]), str(row[0])), default=None)
        return None if best is None else str(best[0])

    def _count(self, model: str, calls: float) -> None:
        for row in self.models:
            if row[0] == model:
                row[1] = float(row[1]) + calls
                return
        if len(self.models) < _MODELS:
            self.models.append([model, calls])
