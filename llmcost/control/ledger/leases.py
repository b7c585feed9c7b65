"""Leases: a process takes a slice of a hot budget, spends it from memory, and returns the rest.

Calls that touch the same counters share a lease. Far from the limit most calls do no I/O; near it slices shrink, and
the last calls are reserved one by one, so that the limit holds to the nano-dollar. A lease of a process that died is
booked as spent when it expires.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from llmcost.control.ledger.contract import (
    BUCKET_S,
    HOLD_S,
    Bucket,
    Counter,
    Entry,
    Expired,
    Ledger,
    LedgerFailure,
    Option,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.forks import rebuild_in_child
from llmcost.control.ledger.slices import Lease, slice_of

SIZES: Final = (512, 64, 8)
"""Calls that a slice is meant for, tried in turn: two visits to the ledger in so many calls."""

LIFE_S: Final = HOLD_S / 4
"""Age at which a lease is settled, so that others see what was spent, and long before its hold expires."""

_MOST_IDS: Final = 20_000


class LeasedLedger:
    """Wraps a ledger. Requests with one option, all of whose counters may be leased, are served from memory.

    Args:
        inner: the ledger; one that keeps what it cannot book, as :class:`~llmcost.control.ledger.steady.SteadyLedger`.
        may_lease: whether a counter belongs to a budget that may be leased.
    """

    def __init__(self, inner: Ledger, may_lease: Callable[[Counter], bool]) -> None:
        self._inner = inner
        self._may_lease = may_lease
        self.network = inner.network
        self.visits = 0
        """Reservations and settlements that went to the ledger below."""
        self._begin()
        rebuild_in_child(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._leases: dict[tuple[tuple[str, int], ...], Lease] = {}
        self._recent: dict[int, Lease] = {}
        self._homes: dict[str, tuple[Lease, Reservation]] = {}
        self._ended: dict[str, None] = {}
        self._opened_by: set[str] = set()
        self._parents: frozenset[str] = frozenset()

    @property
    def waiting(self) -> int:
        """See the contract."""
        return self._inner.waiting

    def after_in_child(self) -> None:
        """Leases, and the calls that are served from them, are the parent's to end."""
        parents = self._parents.union(self._homes, self._opened_by)
        self._begin()
        self._parents = parents

    def now(self) -> float:
        """See the contract."""
        return self._inner.now()

    def reserve(self, request: Request) -> Reservation | Refusal:
        """See the contract."""
        option = request.options[0]
        with self._lock:
            known = self._homes.get(request.call_id)
            if known is not None:
                return known[1]
            lease = self._recent.get(id(option.counters))
            if lease is None or lease.counters is not option.counters:
                if len(request.options) > 1 or not self._all_may(option):
                    self.visits += 1
                    return self._inner.reserve(request)
                lease = self._leases.get(_name(option))
                if lease is not None and lease.counters != option.counters:
                    self._close(lease)  # a limit was changed: the slice was cut from another
                    lease = None
            now = self._inner.now()
            if lease is not None and now - lease.began < LIFE_S:
                states = lease.states()
                if lease.take(option.amounts):
                    return self._at_home(request.call_id, option, lease, states)
            if lease is not None:
                self._close(lease)
            return self._opened(request.call_id, option, now)

    def _opened(self, call_id: str, option: Option, now: float) -> Reservation | Refusal:
        """Ask for a slice; where the limit is near, for a smaller one; at last for this call alone."""
        self.visits += 1
        slices = [slice_of(option, size) for size in SIZES] if any(option.amounts) else []
        answer = self._inner.reserve(Request(call_id, (*slices, option), keep=True))
        if isinstance(answer, Refusal):
            return Refusal(call_id, answer.refused_by[-1:], answer.states[-1:])
        if answer.choice == len(slices):
            return Reservation(call_id, 0, option, answer.states)
        lease = Lease(option.counters, answer, now)
        self._leases[_name(option)] = self._recent[id(option.counters)] = lease
        self._opened_by.add(call_id)
        lease.take(option.amounts)
        return self._at_home(call_id, option, lease, answer.states)

    def _at_home(self, call_id: str, option: Option, lease: Lease, states: tuple[State, ...]) -> Reservation:
        reservation = Reservation(call_id, 0, option, states)
        self._homes[call_id] = (lease, reservation)
        return reservation

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract."""
        with self._lock:
            home = self._homes.pop(reservation.call_id, None)
            if home is None:
                if self._is_of_a_lease(reservation.call_id):
                    return None
                self.visits += 1
                return self._inner.settle(reservation, actual, entries, calls)
            lease, taken = home
            lease.spend(taken.option.amounts, actual, entries)
            self._remember(reservation.call_id)
            states = lease.states()
            self._end(lease)
            return states

    def release(self, reservation: Reservation) -> None:
        """See the contract."""
        with self._lock:
            home = self._homes.pop(reservation.call_id, None)
            if home is not None:
                home[0].back(home[1].option.amounts)
                self._remember(reservation.call_id)
                self._end(home[0])
            elif not self._is_of_a_lease(reservation.call_id):
                self._inner.release(reservation)

    def renew(self, reservation: Reservation) -> None:
        """See the contract. One sign of life is enough for all calls of a lease."""
        with self._lock:
            home = self._homes.get(reservation.call_id)
            if home is None:
                if not self._is_of_a_lease(reservation.call_id):
                    self._inner.renew(reservation)
                return
            now = self._inner.now()
            if now - home[0].renewed >= LIFE_S / 2:
                home[0].renewed = now
                self._inner.renew(home[0].reservation)

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See the contract. What is left of slices counts as held."""
        return self._inner.states(counters)

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """See the contract. Without what is spent from open leases."""
        return self._inner.spend(series, start, end, step)

    def claim(self, name: str, until: float) -> bool:
        """See the contract."""
        return self._inner.claim(name, until)

    def reset(self, prefix: str) -> int:
        """See the contract. Own leases go back before, so that what was spent from them does not come afterwards; that
        of other processes counts when their leases end."""
        self._return_all()
        return self._inner.reset(prefix)

    def limits(self) -> Mapping[str, int]:
        """See the contract."""
        return self._inner.limits()

    def set_limit(self, key: str, amount: int | None) -> None:
        """See the contract."""
        self._inner.set_limit(key, amount)

    def keys(self, prefix: str) -> list[str]:
        """See the contract."""
        return self._inner.keys(prefix)

    def restore(self, name: str, sums: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """See the contract."""
        return self._inner.restore(name, sums, entries)

    def expired(self) -> Expired:
        """See the contract."""
        return self._inner.expired()

    def tidy(self) -> None:
        """See the contract; returns leases that are old."""
        with self._lock:
            now = self._inner.now()
            for lease in [lease for lease in self._leases.values() if now - lease.began >= LIFE_S]:
                self._close(lease)
        self._inner.tidy()

    def close(self) -> None:
        """Return all leases, then see the contract."""
        self._return_all()
        self._inner.close()

    def _return_all(self) -> None:
        with self._lock:
            for lease in list(self._leases.values()):
                self._close(lease)

    # --- under the lock -------------------------------------------------------------------------------------

    def _all_may(self, option: Option) -> bool:
        # A number of calls cannot be sliced: a slice counts as one call until it is settled.
        return all(counter.max_calls is None and self._may_lease(counter) for counter in option.counters)

    def _close(self, lease: Lease) -> None:
        lease.closing = True
        self._recent = {place: kept for place, kept in self._recent.items() if kept is not lease}
        self._leases = {place: kept for place, kept in self._leases.items() if kept is not lease}
        # The ledger below makes it good later; the call at hand has another question.
        with contextlib.suppress(LedgerFailure):
            self._end(lease)

    def _end(self, lease: Lease) -> None:
        if lease.closing and lease.out == 0:
            self.visits += 1
            self._opened_by.discard(lease.reservation.call_id)
            self._inner.settle(lease.reservation, lease.spent, lease.entries(), lease.calls)

    def _is_of_a_lease(self, call_id: str) -> bool:
        """Whether a call has ended that was served from memory, or is its parent's. The ledger below never heard of it,
        but for the first of each lease: under its id the whole lease is held."""
        return call_id in self._ended or call_id in self._parents or call_id in self._opened_by

    def _remember(self, call_id: str) -> None:
        self._ended[call_id] = None
        if len(self._ended) > _MOST_IDS:
            self._ended.pop(next(iter(self._ended)))


def _name(option: Option) -> tuple[tuple[str, int], ...]:
    return tuple((counter.key, counter.slot) for counter in option.counters)
