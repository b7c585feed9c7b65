"""The ledger of one process: fast, and gone with it."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from llmcost.control.ledger.accounts import Counted, Row, Slots, counted
from llmcost.control.ledger.contract import (
    BUCKET_S,
    DAY_S,
    HOLD_S,
    NOTHING,
    REMEMBER_S,
    Bucket,
    Counter,
    Entry,
    Expired,
    LedgerFailure,
    Option,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.forks import rebuild_in_child
from llmcost.control.ledger.series import bucket_of, day_of, drop_before, grouped, roll_up_before
from llmcost.records import make_tuple

_TIDY_EVERY_S: Final = 60.0
_MOST_AT_HAND: Final = 20_000


_Hold = tuple[Reservation, float]
"""A call in flight: what it holds, and until when."""


class _Gone(NamedTuple):
    """A hold that has expired: still a call, and spent where ``keep`` says so, until it is settled or released."""

    option: Option
    keep: bool
    expires: float


class MemoryLedger:
    """See :class:`~llmcost.control.ledger.contract.Ledger`. In a forked child every call is a failure: parent and child
    would each spend the whole budget. Settled ids are kept only as long as a hold, since no answer can be lost."""

    network = False
    waiting = 0

    def __init__(self, clock: Callable[[], float] = time.time, *, hold_s: float = HOLD_S) -> None:
        self._clock = clock
        self._hold_s = hold_s
        self._forked = False
        self._lock = threading.Lock()
        self._counters: dict[str, Slots] = {}
        self._until: list[tuple[int, str, int]] = []
        self._holds: dict[str, _Hold] = {}
        self._settled: dict[str, float] = {}
        self._gone: dict[str, _Gone] = {}
        self._series: dict[str, dict[int, list[int]]] = {}
        self._claims: dict[str, float] = {}
        self._limits: dict[str, int] = {}
        self._expired = Expired(0, 0)
        self._next_expiry = 0.0
        self._next_tidy = 0.0
        self._next_look = 0.0
        self._at_hand: dict[int, Counted] = {}
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """A child of a fork: what is done here is not known to its parent."""
        self._lock = threading.Lock()
        self._forked = True
        self._next_look = 0.0

    def now(self) -> float:
        """See the contract."""
        return self._clock()

    def reserve(self, request: Request) -> Reservation | Refusal:
        """See the contract."""
        call_id, options, keep = request
        option = options[0]
        counters, amounts = option
        lock = self._lock
        lock.acquire()  # noqa: PLC2801, RUF100 - in the path of each call; a `with` takes twice as long
        try:
            now = self._clock()
            if now >= self._next_look:
                self._look_around(now)
            if call_id in self._holds or call_id in self._settled or call_id in self._gone:
                known = self._known(call_id, option)
                if known is not None:
                    return known
            standing = self._at_hand.get(id(counters))
            if standing is None or standing.counters is not counters:
                standing = self._counted(counters)
            if not standing.hold(amounts):
                return self._looked_at(request, now)
            reservation = make_tuple(Reservation, (call_id, 0, option, (), True, keep))
            self._holds[call_id] = reservation, now + self._hold_s
            return reservation
        finally:
            lock.release()

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract."""
        call_id, _, option, _, _, _ = reservation
        counters, amounts = option
        lock = self._lock
        lock.acquire()
        try:
            now = self._clock()
            if now >= self._next_look:
                self._look_around(now)
            if call_id in self._settled:
                return None
            self._settled[call_id] = now + self._hold_s
            if entries:
                self._book(entries)
            standing = self._at_hand.get(id(counters))
            if standing is None or standing.counters is not counters:
                standing = self._counted(counters)
            hold = self._holds.pop(call_id, None)
            if hold is None or hold[0][2] is not option or calls != 1 or not standing.settle(amounts, actual):
                return self._settled_closely(reservation, hold, actual, calls - 1)
            return ()
        finally:
            lock.release()

    def release(self, reservation: Reservation) -> None:
        """See the contract."""
        with self._lock:
            self._begin()
            hold = self._holds.pop(reservation.call_id, None)
            if hold is not None:
                self._add(hold[0].option, -1, -1)
            else:
                self._take_back(reservation.call_id)

    def renew(self, reservation: Reservation) -> None:
        """See the contract."""
        call_id = reservation.call_id
        with self._lock:
            now = self._begin()
            if call_id in self._settled:
                return
            hold = self._holds.pop(call_id, None)
            if hold is None:
                hold = reservation, 0.0
                known = self._take_back(call_id)
                self._add(reservation.option, 1, 1 if known or not reservation.verified else 0)
            self._holds[call_id] = hold[0], now + self._hold_s

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See the contract."""
        with self._lock:
            self._begin()
            return self._counted(tuple(counters)).states()

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """See the contract."""
        with self._lock:
            self._begin()
            rows = [(slot, row[0], row[1]) for slot, row in self._series.get(series, {}).items()]
        return grouped(rows, start, end, step)

    def claim(self, name: str, until: float) -> bool:
        """See the contract."""
        with self._lock:
            now = self._begin()
            if self._claims.get(name, 0.0) > now:
                return False
            self._claims[name] = until
            return True

    def reset(self, prefix: str) -> int:
        """See the contract."""
        with self._lock:
            self._begin()
            begun = [slots.settled() for key, slots in self._counters.items() if key.startswith(prefix)]
            rows = [row for slots in begun for row in slots.values()]
            for row in rows:
                row.state = (0, row.state[1], 0)
            for reservation, _ in self._holds.values():
                for counter in reservation.option.counters:
                    if counter.key.startswith(prefix):
                        row = self._row(counter)
                        row.state = (0, row.state[1], row.state[2] + 1)
            self._gone = {name: gone._replace(option=gone.option.without(prefix)) for name, gone in self._gone.items()}
            return len(rows)

    def limits(self) -> Mapping[str, int]:
        """See the contract."""
        with self._lock:
            self._begin()
            return dict(self._limits)

    def set_limit(self, key: str, amount: int | None) -> None:
        """See the contract."""
        with self._lock:
            self._begin()
            self._limits.pop(key, None)
            if amount is not None:
                self._limits[key] = amount

    def keys(self, prefix: str) -> list[str]:
        """See the contract."""
        with self._lock:
            self._begin()
            return sorted(key for key in self._counters if key.startswith(prefix))

    def restore(self, name: str, sums: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """See the contract."""
        with self._lock:
            now = self._begin()
            if name in self._settled:
                return False
            for counter, state in sums:
                row = self._row(counter)
                row.state = (row.state[0] + state[0], row.state[1] + state[1], row.state[2] + state[2])
            self._settled[name] = now + self._hold_s
            self._book(entries)
            return True

    def expired(self) -> Expired:
        """See the contract."""
        with self._lock:
            self._begin()
            return self._expired

    def tidy(self) -> None:
        """See the contract."""
        with self._lock:
            self._begin()
            self._tidy(self._clock())

    def close(self) -> None:
        """Nothing to let go of."""

    # --- under the lock -------------------------------------------------------------------------------------

    def _begin(self) -> float:
        now = self._clock()
        if now >= self._next_look:
            self._look_around(now)
        return now

    def _look_around(self, now: float) -> None:
        if self._forked:
            raise LedgerFailure("forked", "a memory ledger does not reach over processes; use sqlite:// or redis://")
        if now >= self._next_expiry:
            self._expire(now)
        if now >= self._next_tidy:
            self._tidy(now)
        self._next_look = min(self._next_expiry, self._next_tidy)

    def _known(self, call_id: str, option: Option) -> Reservation | None:
        """The answer to a wish that came before; None where that has expired, and nothing of it counts any more."""
        if call_id in self._holds:
            return self._holds[call_id][0]
        if call_id in self._settled:
            return Reservation(call_id, 0, option, (NOTHING,) * len(option.counters))
        self._take_back(call_id)
        return None

    def _looked_at(self, request: Request, now: float) -> Reservation | Refusal:
        """The answer to a wish where a counter is near its limit, or at least one is not known to be far from it."""
        refusals: list[tuple[int, tuple[State, ...]]] = []
        for choice, option in enumerate(request.options):
            standing = self._counted(option.counters)
            states = standing.states()
            refused = option.refused_by(states)
            if refused is None:
                standing.move(option.amounts, 1, 1)
                standing.open()
                reservation = Reservation(request.call_id, choice, option, states, keep=request.keep)
                self._holds[request.call_id] = reservation, now + self._hold_s
                return reservation
            refusals.append((refused, states))
        return Refusal(request.call_id, tuple(place for place, _ in refusals), tuple(states for _, states in refusals))

    def _settled_closely(
        self, reservation: Reservation, hold: _Hold | None, actual: int, more: int
    ) -> tuple[State, ...]:
        """Books a call in place of what is held for it, whatever that is; see :meth:`settle`.

        Args:
            reservation: what is settled.
            hold: what the ledger holds for it.
            actual: nano-dollars.
            more: calls that it stands for beside the one that was counted.
        """
        option = reservation.option
        if hold is not None:
            self._add(hold[0].option, -1, -1)
        known = self._take_back(reservation.call_id) or hold is not None
        standing = self._counted(option.counters)
        standing.move((0,) * len(option.counters), 0, more + (1 if known or not reservation.verified else 0), actual)
        states = standing.states()
        standing.open()
        return states

    def _counted(self, counters: tuple[Counter, ...]) -> Counted:
        """The counters and where they stand. The same tuple comes again and again, so that is kept at hand."""
        known = self._at_hand.get(id(counters))
        if known is not None and known.counters is counters:
            return known
        if len(self._at_hand) >= _MOST_AT_HAND:
            self._at_hand.clear()
        found = self._at_hand[id(counters)] = counted(counters, {each.key: self._slots(each) for each in counters})
        return found

    def _add(self, option: Option, held: int, calls: int, spent: int = 0) -> None:
        self._counted(option.counters).move(option.amounts, held, calls, spent)

    def _slots(self, counter: Counter) -> Slots:
        """The slots of a counter, with the one that it books in."""
        slots = self._counters.get(counter.key)
        if slots is None:
            slots = self._counters[counter.key] = Slots()
        row = slots.get(counter.slot)
        if row is None:
            slots[counter.slot] = Row(counter.until)
            if counter.until:
                heapq.heappush(self._until, (counter.until, counter.key, counter.slot))
        elif counter.until > row.until:
            row.until = counter.until
        return slots

    def _row(self, counter: Counter) -> Row:
        """Where a counter books, with all that belongs into it."""
        return self._slots(counter).settled()[counter.slot]

    def _book(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            row = self._series.setdefault(entry.series, {}).setdefault(bucket_of(entry.at), [0, 0])
            row[0] += entry.nano
            row[1] += entry.calls

    def _keep(self, option: Option, sign: int) -> None:
        for counter, amount in zip(option.counters, option.amounts, strict=True):
            row = self._row(counter)
            spent, held, calls = row.state
            row.state = (spent + sign * amount, held, calls)

    def _take_back(self, call_id: str) -> bool:
        """Nothing of a call whose hold has expired counts any more. False where there was none."""
        gone = self._gone.pop(call_id, None)
        if gone is None:
            return False
        self._add(gone.option, 0, -1)
        if gone.keep:
            self._keep(gone.option, -1)
        return True

    def _expire(self, now: float) -> None:
        """The tables are in order of expiry, so only what has expired is looked at."""
        while self._holds:
            call_id, (reservation, expires) = next(iter(self._holds.items()))
            if expires > now:
                break
            del self._holds[call_id]
            option = reservation.option
            self._add(option, -1, 0)
            if reservation.keep:
                self._keep(option, 1)
            self._gone[call_id] = _Gone(option, reservation.keep, now + REMEMBER_S)
            self._expired = Expired(self._expired.holds + 1, self._expired.nano + max(option.amounts, default=0))
        while self._settled:
            call_id, expires = next(iter(self._settled.items()))
            if expires > now:
                break
            del self._settled[call_id]
        while self._gone and next(iter(self._gone.values())).expires <= now:
            del self._gone[next(iter(self._gone))]
        first = next(iter(self._holds.values()), None)
        self._next_expiry = min(first[1] if first else now + self._hold_s, now + self._hold_s)

    def _tidy(self, now: float) -> None:
        self._next_tidy = now + _TIDY_EVERY_S
        self._at_hand.clear()
        while self._until and self._until[0][0] <= now:
            _, key, slot = heapq.heappop(self._until)
            slots = self._counters.get(key, Slots()).settled()
            row = slots.get(slot)
            if row is not None and (row.state[1] or row.until > now):
                heapq.heappush(self._until, (max(row.until, int(now) + DAY_S), key, slot))
                continue
            slots.pop(slot, None)
            if not slots:
                self._counters.pop(key, None)
        self._claims = {name: until for name, until in self._claims.items() if until > now}
        for name, buckets in list(self._series.items()):
            self._series[name] = _rolled_up(buckets, now)


def _rolled_up(slots: dict[int, list[int]], now: float) -> dict[int, list[int]]:
    before, dropped = roll_up_before(now), drop_before(now)
    if not slots or next(iter(slots)) >= before:
        return slots
    kept: dict[int, list[int]] = {}
    for slot, (nano, calls) in slots.items():
        if slot >= dropped:
            row = kept.setdefault(slot if slot >= before else day_of(slot), [0, 0])
            row[0] += nano
            row[1] += calls
    return kept
