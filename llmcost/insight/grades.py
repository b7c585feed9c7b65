"""Grades: from scores to alerts, one an incident, and another only where it gets much worse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, Literal

from llmcost.insight.state import Resumable

Severity = Literal["low", "medium", "high"]
SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high")

HOLD_S: Final = 6 * 3600.0
"""An incident is over after so long below its severity."""
_NEVER: Final = -(10**9)
_WORSE: Final = 1.5
"""Grades above the worst so far that are an escalation."""
_DEAR: Final = 2.0
"""From this grade on, dearer calls are news even while something else goes on."""


def grade(score: float, levels: Sequence[float]) -> float:
    """A score on the common scale: 1 where it is low, 2 where it is medium, 3 where it is high, and so on.

    Args:
        score: 0 or more.
        levels: the scores from which it is low, medium and high, rising.
    """
    below = levels[0]
    if score < below:
        return score / below
    for index, level in enumerate(levels):
        if score < level:
            return index + (score - below) / (level - below)
        below = level
    return len(levels) * score / below


def worst(alerts: Iterable[Severity | None]) -> Severity | None:
    """The most severe of several alerts; None where there is none."""
    return max((alert for alert in alerts if alert), key=SEVERITIES.index, default=None)


class IncidentGate(Resumable):
    """Lets the first grade of an incident pass at each severity, then only one that is much worse, or calls that became
    dearer in an incident of something else.

    Args:
        hold: buckets below a severity after which the incident is over at that severity.
    """

    __slots__ = ("_dear", "_hold", "_last", "_now", "_peak")
    STATE: ClassVar[tuple[str, ...]] = ("_dear", "_last", "_now", "_peak")

    def __init__(self, hold: int) -> None:
        self._hold = hold
        self._now = 0
        self._dear = _NEVER
        self._last = [_NEVER] * len(SEVERITIES)
        self._peak = [0.0] * len(SEVERITIES)

    @property
    def open(self) -> bool:
        """Whether an incident of any severity is going on."""
        return self._now - self._last[0] <= self._hold

    def passes(self, reached: float, dearer: float = 0.0) -> Severity | None:
        """The severity to report for the next bucket; None where there is nothing new.

        Args:
            reached: the bucket's grade.
            dearer: the part of it that dearer calls alone give.
        """
        self._now += 1
        if reached < 1:
            return None
        other = dearer >= _DEAR and self._now - self._dear > self._hold
        if dearer >= _DEAR:
            self._dear = self._now
        reported: Severity | None = None
        for index in range(min(int(reached), len(SEVERITIES))):
            new = self._now - self._last[index] > self._hold
            if new or reached > self._peak[index] + _WORSE or (other and index < int(dearer)):
                reported = SEVERITIES[index]
                self._peak[index] = reached
            self._last[index] = self._now
        return reported
