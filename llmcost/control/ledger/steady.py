"""A ledger that fails now and then, made steady: nothing is lost, and no call waits twice for a server that is gone."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from llmcost.control.ledger.contract import (
    BUCKET_S,
    Bucket,
    Counter,
    Entry,
    Expired,
    Ledger,
    LedgerFailure,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.forks import told_before_fork
from llmcost.control.ledger.journal import Journal, Pending
from llmcost.control.ledger.mirror import Mirror

RETRY_AFTER_S: Final = 1.0
"""How long a ledger that failed is left alone; calls follow ``on_failure`` at once meanwhile."""

_BITE: Final = 20
"""Settlements of before that one call books at most."""

_PATIENCE_S: Final = 0.05

T = TypeVar("T")


class SteadyLedger:
    """Wraps a ledger. A failure to settle is put off and made good later, in order and once; a ledger that was emptied
    gets back what this process has booked in windows that are still open.

    Args:
        inner: the ledger.
        folder: where settlements wait across the end of a process; None keeps them in memory.
        pace: a monotonic clock in seconds.
    """

    def __init__(
        self, inner: Ledger, folder: Path | None = None, *, pace: Callable[[], float] = time.monotonic
    ) -> None:
        self._inner = inner
        self._pace = pace
        self._journal = Journal(folder)
        self._mirror = Mirror()
        self._name = uuid.uuid4().hex
        self._limits: Mapping[str, int] = {}
        self._failed: LedgerFailure | None = None
        self._emptied = False
        self._retry_at = 0.0
        self._catching_up = threading.Lock()
        self._giving_back = threading.Lock()
        self._looked_for_orphans = False
        self.network = inner.network
        told_before_fork(self)

    def before_fork(self) -> None:
        """Calls in flight may end on both sides."""
        self._mirror.share()

    def after_in_child(self) -> None:
        """What waits and what was booked is the parent's."""
        self._name = uuid.uuid4().hex
        self._journal.after_in_child()
        self._mirror = Mirror()
        self._catching_up = threading.Lock()
        self._giving_back = threading.Lock()

    @property
    def waiting(self) -> int:
        """See the contract."""
        return len(self._journal)

    def now(self) -> float:
        """See the contract."""
        return self._inner.now()

    def reserve(self, request: Request) -> Reservation | Refusal:
        """See the contract."""
        try:
            answer = self._run(self._inner.reserve, request)
        except LedgerFailure as failure:
            if failure.reason == "unreachable" and failure.asked:
                # The answer may be lost and the hold made; a release of what was never held does nothing.
                self._journal.add(Pending(Reservation(request.call_id, 0, request.options[0], ()), None))
            raise
        if isinstance(answer, Reservation):
            self._lives(answer)
            self._mirror.held(answer)
        return answer

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract. A failure is raised, and the settlement made good later."""
        pending = Pending(reservation, actual, tuple(entries), calls)
        try:
            states = self._run(self._inner.settle, reservation, actual, entries, calls)
        except LedgerFailure:
            self._journal.add(pending)
            raise
        self._mirror.settled(pending, news=states is not None, first=True)
        return states

    def release(self, reservation: Reservation) -> None:
        """See the contract."""
        self._mirror.released(reservation)
        try:
            self._run(self._inner.release, reservation)
        except LedgerFailure:
            self._journal.add(Pending(reservation, None))
            raise

    def renew(self, reservation: Reservation) -> None:
        """See the contract."""
        self._run(self._inner.renew, reservation)
        self._lives(reservation)

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See the contract."""
        return self._run(self._inner.states, counters)

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """See the contract."""
        return self._run(self._inner.spend, series, start, end, step)

    def claim(self, name: str, until: float) -> bool:
        """See the contract."""
        return self._run(self._inner.claim, name, until)

    def reset(self, prefix: str) -> int:
        """See the contract."""
        self._mirror.reset(prefix)
        return self._run(self._inner.reset, prefix)

    def limits(self) -> Mapping[str, int]:
        """See the contract."""
        self._limits = self._run(self._inner.limits)
        return self._limits

    def set_limit(self, key: str, amount: int | None) -> None:
        """See the contract."""
        self._run(self._inner.set_limit, key, amount)

    def keys(self, prefix: str) -> list[str]:
        """See the contract."""
        return self._run(self._inner.keys, prefix)

    def restore(self, name: str, sums: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """See the contract."""
        return self._run(self._inner.restore, name, sums, entries)

    def expired(self) -> Expired:
        """See the contract."""
        return self._run(self._inner.expired)

    def tidy(self) -> None:
        """See the contract."""
        self._run(self._inner.tidy)

    def flush(self) -> int:
        """Book all that waits, now; returns how much still waits. For the end of a program, and for quiet times."""
        self._retry_at = 0.0
        with contextlib.suppress(LedgerFailure):
            self._run(self._catch_up)
        return self.waiting

    def close(self) -> None:
        """See the contract."""
        self.flush()
        self._inner.close()

    def _run(self, operation: Callable[..., T], *arguments: object) -> T:
        if self._failed is not None and self._pace() < self._retry_at:
            raise LedgerFailure(self._failed.reason, "left alone after a failure", asked=False)
        try:
            if self._emptied:
                self._give_back()
            if not self._looked_for_orphans or len(self._journal):
                self._catch_up(_BITE)
            result = operation(*arguments)
        except LedgerFailure as failure:
            self._emptied = self._emptied or failure.reason == "emptied"
            # Busy says that others work; everything else will not be better for the next call either.
            if failure.reason != "busy":
                self._failed = failure
                self._retry_at = self._pace() + RETRY_AFTER_S
            raise
        self._failed = None
        return result

    def _lives(self, reservation: Reservation) -> None:
        """A release that waits is of an earlier attempt to hold, whose answer was lost."""
        if len(self._journal):
            self._journal.call_off(reservation.call_id)

    def _catch_up(self, most: int | None = None) -> None:
        """Book what waits, the oldest first, in one thread at a time."""
        if not self._catching_up.acquire(blocking=False):
            return
        try:
            if not self._looked_for_orphans:
                self._journal.adopt()
                self._looked_for_orphans = True
            done = 0
            while (pending := self._journal.first()) is not None and (most is None or done < most):
                if pending.actual is None:
                    self._inner.release(pending.reservation)
                else:
                    states = self._inner.settle(pending.reservation, pending.actual, pending.entries, pending.calls)
                    self._mirror.settled(pending, news=states is not None)
                self._journal.done(pending)
                done += 1
        finally:
            self._catching_up.release()

    def _give_back(self) -> None:
        """Book again what this process has booked, and hold again what it held. What waits comes after.

        One thread does it; the others wait as long as a call may. The ledger lets nobody in before the sums are back.
        """
        if not self._giving_back.acquire(timeout=_PATIENCE_S):
            raise LedgerFailure("emptied", "another thread gives back what it knew", asked=False)
        try:
            if self._emptied:
                self._inner.restore(self._name, self._mirror.rows(), self._mirror.entries())
                for reservation in self._mirror.live():
                    self._inner.renew(reservation)
                for key, amount in self._limits.items():
                    self._inner.set_limit(key, amount)
                self._emptied = False
        finally:
            self._giving_back.release()
