"""The ledger of one process: fast, and gone with it."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

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


class _Row:
    """A slot of a counter. ``alone`` says that no other slot counts with it."""

    __slots__ = ("alone", "state", "until")

    def __init__(self, counter: Counter) -> None:
        self.alone = counter.first == counter.slot
        self.state = NOTHING
        self.until = counter.until


class _Rows(list[_Row]):
    """Where the counters of a call stand.

    Attributes:
        alone: whether each is one slot, so that its state is its row's.
        limits: their limits, where nothing else decides about a call.
    """

    __slots__ = ("alone", "limits")

    def __init__(self, rows: Sequence[_Row], counters: Sequence[Counter]) -> None:
        super().__init__(rows)
        self.alone = all(row.alone for row in rows)
        money = [counter.limit for counter in counters if counter.below is None and counter.max_calls is None]
        limits = [limit for limit in money if limit is not None]
        self.limits = limits if self.alone and len(limits) == len(counters) else None

    def quickly(self, amounts: Sequence[int]) -> tuple[State, ...] | None:
        """The states where only money is limited and all of it fits, as it nearly always does; else None."""
        if self.limits is None:
            return None
        states = []
        for row, limit, amount in zip(self, self.limits, amounts, strict=True):
            spent, held, _ = state = row.state
            if spent + held + amount > limit:
                return None
            states.append(state)
        return tuple(states)


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
        self._counters: dict[str, dict[int, _Row]] = {}
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
        self._at_hand: dict[int, tuple[tuple[Counter, ...], _Rows]] = {}
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
        call_id = request.call_id
        with self._lock:
            now = self._clock()
            if now >= self._next_look:
                self._look_around(now)
            if call_id in self._holds:
                return self._holds[call_id][0]
            if call_id in self._settled:
                return Reservation(call_id, 0, request.options[0], (NOTHING,) * len(request.options[0].counters))
            if call_id in self._gone:
                self._take_back(call_id)
            refusals: list[tuple[int, tuple[State, ...]]] = []
            for choice, option in enumerate(request.options):
                rows = self._rows(option.counters)
                states = rows.quickly(option.amounts)
                refused = None
                if states is None:
                    states = self._states(option.counters, rows)
                    refused = option.refused_by(states)
                if refused is None:
                    reservation = make_tuple(Reservation, (call_id, choice, option, states, True, request.keep))
                    self._holds[call_id] = reservation, now + self._hold_s
                    _move(rows, option.amounts, 1, 1)
                    return reservation
                refusals.append((refused, states))
        return Refusal(call_id, tuple(place for place, _ in refusals), tuple(states for _, states in refusals))

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract."""
        call_id, option, verified = reservation.call_id, reservation.option, reservation.verified
        with self._lock:
            now = self._clock()
            if now >= self._next_look:
                self._look_around(now)
            if call_id in self._settled:
                return None
            hold = self._holds.pop(call_id, None)
            more = calls - 1
            rows = self._rows(option.counters)
            if hold is not None and hold[0].option is option:
                states = _move(rows, option.amounts, -1, more, actual)
                self._settled[call_id] = now + self._hold_s
                if entries:
                    self._book(entries)
                return states if rows.alone else self._states(option.counters, rows)
            if hold is not None:
                self._add(hold[0].option, -1, -1)
            known = self._take_back(call_id) or hold is not None
            self._add(option, 0, more + (1 if known or not verified else 0), actual)
            self._settled[call_id] = now + self._hold_s
            if entries:
                self._book(entries)
            return self._states(option.counters, rows)

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
            return self._states(tuple(counters), self._rows(tuple(counters)))

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
            rows = [row for key, slots in self._counters.items() if key.startswith(prefix) for row in slots.values()]
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

    def _rows(self, counters: tuple[Counter, ...]) -> _Rows:
        """Where the counters stand. The same tuple comes again and again, so its rows are kept at hand."""
        known = self._at_hand.get(id(counters))
        if known is not None and known[0] is counters:
            return known[1]
        rows = _Rows([self._row(counter) for counter in counters], counters)
        if len(self._at_hand) >= _MOST_AT_HAND:
            self._at_hand.clear()
        self._at_hand[id(counters)] = (counters, rows)
        return rows

    def _states(self, counters: tuple[Counter, ...], rows: _Rows) -> tuple[State, ...]:
        if rows.alone:
            return tuple([row.state for row in rows])
        return tuple([row.state if row.alone else self._rolling(counters[place]) for place, row in enumerate(rows)])

    def _rolling(self, counter: Counter) -> State:
        slots = self._counters[counter.key]
        states = [row.state for slot, row in slots.items() if counter.first <= slot <= counter.slot]
        return (sum(state[0] for state in states), sum(state[1] for state in states), sum(state[2] for state in states))

    def _add(self, option: Option, held: int, calls: int, spent: int = 0) -> None:
        _move(self._rows(option.counters), option.amounts, held, calls, spent)

    def _row(self, counter: Counter) -> _Row:
        slots = self._counters.setdefault(counter.key, {})
        row = slots.get(counter.slot)
        if row is None:
            row = slots[counter.slot] = _Row(counter)
            if counter.until:
                heapq.heappush(self._until, (counter.until, counter.key, counter.slot))
        elif counter.until > row.until:
            row.until = counter.until
        return row

    def _book(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            row = self._series.setdefault(entry.series, {}).setdefault(bucket_of(entry.at), [0, 0])
            row[0] += entry.nano
            row[1] += entry.calls

    def _keep(self, option: Option, sign: int) -> None:
        for row, amount in zip(self._rows(option.counters), option.amounts, strict=True):
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
            slots = self._counters.get(key, {})
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


def _move(rows: _Rows, amounts: tuple[int, ...], held: int, calls: int, spent: int = 0) -> tuple[State, ...]:
    """Hold amounts (or, with -1, give them back), count calls, and book what was spent; returns the new states."""
    states = []
    for row, amount in zip(rows, amounts, strict=True):
        was_spent, was_held, had_calls = row.state
        row.state = state = was_spent + spent, was_held + held * amount, had_calls + calls
        states.append(state)
    return tuple(states)
