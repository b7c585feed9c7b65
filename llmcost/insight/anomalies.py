"""What the watch reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, NamedTuple, Self

from llmcost.insight.causes import Cause, Change, Profile, describe
from llmcost.insight.grades import Severity

Event = Literal["opened", "escalated", "closed"]
ScopeKind = Literal["global", "user", "label", "model"]


class Scope(NamedTuple):
    """Whose spend: ``Scope("label", "summarization")``; the whole program is ``GLOBAL``."""

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


GLOBAL = Scope("global")


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A report of an incident: that it opened, got worse, or is over.

    Attributes:
        event: what happened to the incident.
        timestamp: when that was known, Unix seconds.
        since: begin of the first bucket of the incident, Unix seconds.
        scope: whose spend.
        expected: usual spend in the buckets of the incident so far, USD.
        actual: their spend, USD.
        excess: money above the usual so far, USD.
        severity: the worst so far.
        cause: what changed.
        change: what it was before and after.
        before: the usual calls.
        after: the calls of the incident.
    """

    event: Event
    timestamp: float
    since: float
    scope: Scope
    expected: float
    actual: float
    excess: float
    severity: Severity
    cause: Cause
    change: Change
    before: Profile
    after: Profile

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The report that ``dataclasses.asdict`` made a document of."""
        values = {
            **document,
            "scope": Scope(*document["scope"]),
            "change": Change(**document["change"]),
            "before": Profile(**document["before"]),
            "after": Profile(**document["after"]),
        }
        return cls(**values)

    @property
    def incident(self) -> str:
        """The incident's name, the same in every process that saw the same buckets: the claim on it goes by this."""
        return f"{self.scope.kind}:{self.scope.name}:{int(self.since)}"

    @property
    def description(self) -> str:
        """One sentence: since when, whose, what changed, and how much money so far. Times are UTC."""
        return self.in_words(UTC)

    def in_words(self, zone: tzinfo) -> str:
        """The sentence with its time in another zone."""
        since = datetime.fromtimestamp(self.since, zone).strftime("%Y-%m-%d %H:%M")
        over = " (over)" if self.event == "closed" else ""
        change = describe(self.cause, self.before, self.after, (self.expected, self.actual))
        return f"Since {since}{over}, {self.scope}: {change}. ${self.excess:,.2f} above the usual so far."
