"""The watch of one key: spend, the cost of a call, errors and retries, with one incident at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from llmcost.insight.anomalies import Anomaly, Scope
from llmcost.insight.causes import Profile
from llmcost.insight.grades import HOLD_S, SEVERITIES, IncidentGate, Severity
from llmcost.insight.habits import Habits
from llmcost.insight.incident import Incident
from llmcost.insight.samples import Sample, Tally
from llmcost.insight.shares import ShareJudge
from llmcost.insight.spend import TEN_MINUTES, SpendJudge
from llmcost.insight.state import Resumable

_DAY: Final = 86400.0
_LONGEST_SILENCE_S: Final = 14 * _DAY
_STIR: Final = 0.6
"""From this grade on a bucket counts to an incident that may follow: a slow change begins before it is reported."""
_NOT_FOR_MONEY: Final = frozenset({"errors", "retries"})


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What is worth a report.

    Attributes:
        bucket_s: length of a bucket in seconds.
        sensitivity: ``low`` reports only what is of high severity, ``medium`` also what is of medium, ``high`` all.
        at_least: USD above the usual from which an incident is reported; errors and retries always are.
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
        "_bucket",
        "_errors",
        "_gate",
        "_habits",
        "_incident",
        "_now",
        "_retries",
        "_scope",
        "_settings",
        "_spend",
    )
    STATE: ClassVar[tuple[str, ...]] = tuple(name for name in __slots__ if name not in {"_scope", "_settings"})

    def __init__(self, scope: Scope, settings: WatchSettings) -> None:
        self._scope = scope
        self._settings = settings
        warm = int(_DAY / settings.bucket_s)
        self._bucket: int | None = None
        self._now = Tally()
        self._spend = SpendJudge(settings.bucket_s)
        self._errors = ShareJudge(warm)
        self._retries = ShareJudge(warm)
        self._habits = Habits()
        self._gate = IncidentGate(max(1, int(HOLD_S / settings.bucket_s)))
        self._incident = Incident()

    @property
    def idle(self) -> bool:
        """Whether nothing can be said before the next sample: the open bucket is empty and no incident is open."""
        return self._now.calls == 0 and self._incident.severity is None

    @property
    def present(self) -> Anomaly | None:
        """The incident that was reported and goes on, as it stands now; None where there is none."""
        if self._incident.reported is None or self._bucket is None:
            return None
        return self._incident.report("escalated", self._bucket * self._settings.bucket_s, self._scope)

    def update(self, ts: float, sample: Sample) -> list[Anomaly]:
        """Book a sample at a Unix time, and return what the buckets closed by then have to report.

        What comes late, for a bucket that is closed, counts in the open one.
        """
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
        self._bucket = at
        return found

    # --- a bucket -----------------------------------------------------------------------------------------------

    def _close(self, bucket: int) -> Anomaly | None:
        now, self._now = self._now, Tally()
        begin = bucket * self._settings.bucket_s
        reached = max(
            self._spend.weigh(now.cost, now.priced, begin),
            self._errors.weigh(now.errors, now.calls),
            self._retries.weigh(now.retries, now.calls),
        )
        incident = self._incident
        if reached >= _STIR:
            if incident.severity not in self._settings.reports and incident.is_older_than(begin - HOLD_S):
                # Hours of what nobody is told of are no beginning of what is told.
                incident = self._incident = Incident()
            if incident.empty:
                incident.begin(begin, self._usual())
            incident.gather(now, self._spend.expected)
        elif incident.severity is None:
            self._habits.learn(now)
            if not incident.empty:
                self._incident = Incident()
        return self._report(self._gate.passes(reached, self._spend.dearer), begin + self._settings.bucket_s)

    def _usual(self) -> Profile:
        call_cost = self._spend.usual_call
        calls = self._spend.expected / call_cost if call_cost else self._habits.calls
        return Profile(
            # A bucket that is odd has a call at least; that most have none is no change of a key with few.
            calls=max(calls, min(1.0, self._habits.calls)),
            call_cost=call_cost,
            call_tokens=self._habits.tokens,
            errors=self._errors.usual,
            retries=self._retries.usual,
            model=self._habits.model,
        )

    def _report(self, alert: Severity | None, now: float) -> Anomaly | None:
        incident = self._incident
        if alert is not None:
            incident.escalate(alert, dearer_calls=self._spend.channel == "unit")
        if incident.severity is None:
            return None
        if not self._gate.open:
            self._incident = Incident()
            return incident.report("closed", now, self._scope) if incident.reported else None
        news = alert if incident.reported else incident.severity
        if news not in self._settings.reports:
            return None
        report = incident.report("escalated" if incident.reported else "opened", now, self._scope)
        if report.excess < self._settings.at_least and report.cause not in _NOT_FOR_MONEY:
            return None
        incident.reported = incident.severity
        return report
