"""The detector of one key: a user, a semantic label, a model, or the whole program."""

from __future__ import annotations

from typing import ClassVar, Final

from llmcost.insight.grades import HOLD_S, SEVERITIES, IncidentGate, Severity, worst
from llmcost.insight.spend import TEN_MINUTES, SpendJudge
from llmcost.insight.state import Resumable
from llmcost.insight.two_sided import MetricJudge

_DAY: Final = 86400.0
_LONGEST_SILENCE_S: Final = 14 * _DAY
"""Silent buckets that are learnt one by one; after so long a silence the state is that of an idle key."""


class Detector(Resumable):
    """Takes in spend in the order of time, and says when it is out of the ordinary.

    One alert is raised an incident, and a further one where it reaches a higher severity or gets much worse.

    Args:
        bucket_s: length of a bucket in seconds.
        two_sided: for other measures than spend, where a fall matters as much as a rise.
    """

    __slots__ = ("_bucket", "_bucket_s", "_calls", "_cost", "_gate", "_judge")
    STATE: ClassVar[tuple[str, ...]] = ("_bucket", "_calls", "_cost", "_gate", "_judge")

    def __init__(self, bucket_s: float = TEN_MINUTES, *, two_sided: bool = False) -> None:
        self._bucket_s = bucket_s
        self._bucket: int | None = None
        self._cost = 0.0
        self._calls = 0
        self._gate = IncidentGate(max(1, int(HOLD_S / bucket_s)))
        self._judge: SpendJudge | MetricJudge = MetricJudge() if two_sided else SpendJudge(bucket_s)

    @property
    def expected(self) -> float:
        """The usual value of the bucket that was closed last."""
        return self._judge.expected

    def update(self, ts: float, cost: float, calls: int = 1) -> Severity | None:
        """Book spend, and close the buckets that are over by then.

        Args:
            ts: Unix time in seconds. What comes late, for a bucket that is closed, counts in the open one.
            cost: USD.
            calls: how many calls that was; ``update(ts, 0.0, 0)`` only moves the clock.

        Returns:
            The severity of the worst alert among the buckets just closed.
        """
        bucket = int(ts // self._bucket_s)
        alert: Severity | None = None
        if self._bucket is None:
            self._bucket = bucket
        elif bucket > self._bucket:
            alert = self._turn_to(bucket)
        self._cost += cost
        self._calls += calls
        return alert

    def _turn_to(self, bucket: int) -> Severity | None:
        alerts: list[Severity | None] = []
        at = bucket if self._bucket is None else self._bucket
        longest = int(_LONGEST_SILENCE_S / self._bucket_s)
        while at < bucket:
            alerts.append(self._close(at * self._bucket_s))
            self._cost, self._calls = 0.0, 0
            at = max(at + 1, bucket - longest)
        self._bucket = bucket
        return worst(alerts)

    def _close(self, begin: float) -> Severity | None:
        if isinstance(self._judge, SpendJudge):
            reached = self._judge.weigh(self._cost, self._calls, begin)
            return self._gate.passes(reached, self._judge.dearer)
        # News is rare already: it needs no gate.
        level = int(self._judge.weigh(self._cost, begin % _DAY))
        return SEVERITIES[level - 1] if level else None
