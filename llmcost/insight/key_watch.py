"""The watch of one key: spend, the cost of a call, errors and retries, with one incident at a time."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar, Final

from llmcost.insight.anomalies import Anomaly, Event, Scope
from llmcost.insight.causes import Profile, explain
from llmcost.insight.habits import Habits
from llmcost.insight.incidents import HOLD_S, SEVERITIES, IncidentGate, Severity, worst
from llmcost.insight.samples import Sample, Tally
from llmcost.insight.shares import ShareJudge
from llmcost.insight.spend import TEN_MINUTES, SpendJudge
from llmcost.insight.state import Resumable

_DAY: Final = 86400.0
_LONGEST_SILENCE_S: Final = 14 * _DAY
_STIR: Final = 0.6
"""From this grade on a bucket counts to an incident that may follow: a slow change begins before it is reported."""
_FADE: Final = 0.5
_CALL_CAUSES: Final = frozenset({"model", "tokens", "price"})


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What is worth a report.

    Attributes:
        bucket_s: length of a bucket in seconds.
        sensitivity: ``low`` reports only what is of high severity, ``medium`` also what is of medium, ``high`` all.
        at_least: USD above the usual from which an incident of spend is reported.
    """

    bucket_s: float = TEN_MINUTES
    sensitivity: Severity = "medium"
    at_least: float = 0.0

    @property
    def reports(self) -> tuple[Severity, ...]:
        """The severities that are reported."""
        return SEVERITIES[len(SEVERITIES) - 1 - SEVERITIES.index(self.sensitivity) :]


class KeyWatch(Resumable):
    """Follows one key bucket by bucket, and reports when an incident opens, gets worse and is over.

    Args:
        scope: whose key it is.
        settings: what is worth a report.
    """

    __slots__ = (
        "_before", "_bucket", "_dearer_calls", "_errors", "_expected", "_gate", "_habits", "_model", "_now", "_odd",
        "_recent", "_recent_buckets", "_reported", "_retries", "_scope", "_settings", "_severity", "_since", "_spend",
    )  # fmt: skip
    STATE: ClassVar[tuple[str, ...]] = tuple(name for name in __slots__ if name not in {"_scope", "_settings"})

    def __init__(self, scope: Scope, settings: WatchSettings) -> None:
        bucket_s = settings.bucket_s
        self._scope = scope
        self._settings = settings
        self._bucket: int | None = None
        self._now = Tally()
        self._spend = SpendJudge(bucket_s)
        self._errors = ShareJudge(int(_DAY / bucket_s))
        self._retries = ShareJudge(int(_DAY / bucket_s))
        self._habits = Habits()
        self._gate = IncidentGate(max(1, int(HOLD_S / bucket_s)))
        self._severity: Severity | None = None
        self._reported: Severity | None = None
        self._since = 0.0
        self._before: list[float | str | None] = []
        self._odd = Tally()
        self._expected = 0.0
        self._recent = Tally()
        self._recent_buckets = 0.0
        self._model: str | None = None
        self._dearer_calls = False

    @property
    def idle(self) -> bool:
        """Whether nothing can be said before the next sample: the open bucket is empty and no incident is open."""
        return self._now.calls == 0 and self._severity is None

    def update(self, ts: float, sample: Sample) -> list[Anomaly]:
        """Book a sample at a Unix time, and return what the buckets closed by then have to report."""
        found = self.advance(ts)
        self._now.add(sample)
        return found

    def advance(self, ts: float) -> list[Anomaly]:
        """Close the buckets that are over at a Unix time."""
        bucket = int(ts // self._settings.bucket_s)
        found: list[Anomaly] = []
        at = bucket if self._bucket is None else self._bucket
        longest = int(_LONGEST_SILENCE_S / self._settings.bucket_s)
        while at < bucket:
            report = self._close(at)
            if report is not None:
                found.append(report)
            at = max(at + 1, bucket - longest)
        self._bucket = max(at, bucket)
        return found

    # --- a bucket -----------------------------------------------------------------------------------------------

    def _close(self, bucket: int) -> Anomaly | None:
        now, self._now = self._now, Tally()
        begin = bucket * self._settings.bucket_s
        reached = max(
            self._spend.weigh(now.cost, now.priced, begin % _DAY),
            self._errors.weigh(now.errors, now.calls),
            self._retries.weigh(now.retries, now.calls),
        )
        self._gather(now, reached, begin)
        alert = self._gate.passes(reached)
        if self._severity is None and reached < _STIR:
            self._habits.learn(now)
        return self._report(alert, begin + self._settings.bucket_s)

    def _usual(self) -> Profile:
        call_cost = self._spend.usual_call
        return Profile(
            calls=self._spend.expected / call_cost if call_cost else self._habits.calls,
            call_cost=call_cost,
            call_tokens=self._habits.tokens,
            errors=self._errors.usual,
            retries=self._retries.usual,
            model=self._habits.model,
        )

    def _gather(self, now: Tally, reached: float, begin: float) -> None:
        """Add an odd bucket to the incident; forget them where none came of it."""
        if reached >= _STIR:
            if self._recent_buckets == 0:
                self._since = begin
                self._before = list(astuple(self._usual()))
            self._odd.merge(now)
            self._expected += self._spend.expected
            self._recent.fade(_FADE)
            self._recent.merge(now)
            self._recent_buckets = _FADE * self._recent_buckets + 1
            self._model = now.main_model or self._model
        elif self._severity is None and self._recent_buckets:
            self._forget()

    def _forget(self) -> None:
        self._odd, self._expected = Tally(), 0.0
        self._recent, self._recent_buckets = Tally(), 0.0

    def _report(self, alert: Severity | None, now: float) -> Anomaly | None:
        if alert is not None:
            self._severity = worst((self._severity, alert))
            self._dearer_calls = self._spend.channel == "unit"
        if self._severity is None:
            return None
        if not self._gate.open:
            return self._end(now)
        report = self._anomaly("escalated" if self._reported else "opened", now, self._severity)
        fresh = self._reported is None or alert is not None
        worth = self._severity in self._settings.reports and (
            report.excess >= self._settings.at_least or report.cause in {"errors", "retries"}
        )
        if not (fresh and worth) or (self._reported and alert not in self._settings.reports):
            return None
        self._reported = self._severity
        return report

    def _end(self, now: float) -> Anomaly | None:
        severity, reported = self._severity, self._reported
        report = self._anomaly("closed", now, severity) if severity and reported else None
        self._severity = self._reported = None
        self._forget()
        return report

    def _anomaly(self, event: Event, now: float, severity: Severity) -> Anomaly:
        before, after = Profile(*self._before), self._after()  # type: ignore[arg-type]
        cause, change = explain(before, after, dearer_calls=self._dearer_calls)
        excess = self._odd.cost - self._expected
        if cause in _CALL_CAUSES and before.call_cost is not None:
            excess = self._odd.cost - self._odd.priced * before.call_cost
        return Anomaly(
            event=event,
            timestamp=now,
            since=self._since,
            scope=self._scope,
            expected=self._expected,
            actual=self._odd.cost,
            excess=max(0.0, excess),
            severity=severity,
            cause=cause,
            change=change,
            before=before,
            after=after,
        )

    def _after(self) -> Profile:
        """The calls of the incident, the latest before all: an incident may have begun with something else."""
        recent = self._recent
        calls = recent.calls or 1.0
        return Profile(
            calls=recent.calls / (self._recent_buckets or 1.0),
            call_cost=recent.cost / recent.priced if recent.priced else None,
            call_tokens=recent.tokens / calls if recent.tokens else None,
            errors=recent.errors / calls,
            retries=recent.retries / calls,
            model=self._model,
        )
