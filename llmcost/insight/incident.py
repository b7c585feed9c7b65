"""One incident of a key: its odd buckets, what was usual before, and what was reported of it."""

from __future__ import annotations

from dataclasses import astuple
from typing import ClassVar, Final

from llmcost.insight.anomalies import Anomaly, Event, Scope
from llmcost.insight.causes import Profile, explain
from llmcost.insight.grades import Severity, worst
from llmcost.insight.samples import Tally
from llmcost.insight.state import Resumable

_FADE: Final = 0.5
_CALL_CAUSES: Final = frozenset({"model", "tokens", "price"})


class Incident(Resumable):
    """Gathers odd buckets; becomes an incident once an alert is raised.

    Attributes:
        severity: the worst alert; None where nothing was raised yet.
        reported: the severity last reported; None where nothing was.
    """

    __slots__ = (
        "_before",
        "_buckets",
        "_dearer_calls",
        "_expected",
        "_model",
        "_odd",
        "_recent",
        "_since",
        "reported",
        "severity",
    )
    STATE: ClassVar[tuple[str, ...]] = __slots__

    def __init__(self) -> None:
        self.severity: Severity | None = None
        self.reported: Severity | None = None
        self._since = 0.0
        self._before: list[float | str | None] = []
        self._odd = Tally()
        self._expected = 0.0
        self._recent = Tally()
        self._buckets = 0.0
        self._model: str | None = None
        self._dearer_calls = False

    @property
    def empty(self) -> bool:
        """Whether there was no odd bucket yet."""
        return self._buckets == 0

    def is_older_than(self, at: float) -> bool:
        """Whether the first odd bucket began before a Unix time."""
        return not self.empty and self._since < at

    def begin(self, since: float, usual: Profile) -> None:
        """The first odd bucket begins: remember when, and what was usual."""
        self._since = since
        self._before = list(astuple(usual))

    def gather(self, odd: Tally, expected: float) -> None:
        """Add an odd bucket, and the spend that would have been usual in it (USD)."""
        self._odd.merge(odd)
        self._expected += expected
        self._recent.fade(_FADE)
        self._recent.merge(odd)
        self._buckets = _FADE * self._buckets + 1
        self._model = odd.main_model or self._model

    def escalate(self, alert: Severity, *, dearer_calls: bool) -> None:
        """An alert was raised, because calls became dearer or for another reason."""
        self.severity = worst((self.severity, alert))
        self._dearer_calls = dearer_calls

    def report(self, event: Event, now: float, scope: Scope) -> Anomaly:
        """The report of an incident that has a severity."""
        if self.severity is None:
            raise ValueError("nothing was raised")
        before, after = Profile(*self._before), self._after()  # type: ignore[arg-type]
        cause, change = explain(before, after, dearer_calls=self._dearer_calls)
        usual = self._expected
        if cause in _CALL_CAUSES and before.call_cost is not None:
            usual = self._odd.priced * before.call_cost
        return Anomaly(
            event=event,
            timestamp=now,
            since=self._since,
            scope=scope,
            expected=self._expected,
            actual=self._odd.cost,
            excess=max(0.0, self._odd.cost - usual),
            severity=self.severity,
            cause=cause,
            change=change,
            before=before,
            after=after,
        )

    def _after(self) -> Profile:
        """The calls of the incident, the latest before all: it may have begun with something else."""
        recent = self._recent
        calls = recent.calls or 1.0
        return Profile(
            calls=recent.calls / (self._buckets or 1.0),
            call_cost=recent.cost / recent.priced if recent.priced else None,
            call_tokens=recent.tokens / calls if recent.tokens else None,
            errors=recent.errors / calls,
            retries=recent.retries / calls,
            model=self._model,
        )
