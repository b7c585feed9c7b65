"""What this process has booked lately: enough to give a ledger that was emptied its memory back."""

from __future__ import annotations

import threading
from typing import Final, TypeVar

from llmcost.control.ledger.contract import Counter, Entry, Reservation, State
from llmcost.control.ledger.journal import Pending
from llmcost.control.ledger.series import bucket_of

_MOST_ROWS: Final = 20_000
_MOST_SUMS: Final = 5_000

T = TypeVar("T")


class Mirror:
    """Sums by counter and by bucket, and the calls in flight; the oldest windows are dropped first.

    What calls with the same counters add is one sum, which goes to the single counters only when these are asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[int, _Sum] = {}
        self._rows: dict[tuple[str, int], tuple[Counter, list[int]]] = {}
        self._buckets: dict[tuple[str, int], list[int]] = {}
        self._live: dict[str, Reservation] = {}
        self._shared: set[str] = set()

    def share(self) -> None:
        """This process is about to fork: its calls in flight are known to the child as well. Without the lock, which
        another thread may hold; a dict of text is copied in one go."""
        self._shared = set(self._live)

    def held(self, reservation: Reservation) -> None:
        """A call was admitted."""
        with self._lock:
            if reservation.call_id not in self._live:
                self._live[reservation.call_id] = reservation
                self._add(reservation, 0, 1)

    def settled(self, pending: Pending, *, news: bool, first: bool = False) -> None:
        """A call was settled.

        Args:
            pending: how.
            news: False where the ledger had it already, and so, but for a lost answer, we or another process.
            first: whether this was the first attempt, so that no answer to us can have been lost.
        """
        reservation, actual, entries, calls = pending
        with self._lock:
            live = self._live.pop(reservation.call_id, None)
            if actual is None or (live is None and not news):
                return
            if first and not news and reservation.call_id in self._shared:
                self._add(reservation, 0, -1)  # the other side of a fork has it
                return
            self._add(reservation, actual, calls - 1 + (0 if live is not None else 1))
            for entry in entries:
                row = self._buckets.setdefault((entry.series, bucket_of(entry.at)), [0, 0])
                row[0] += entry.nano
                row[1] += entry.calls
            _shorten(self._buckets)

    def released(self, reservation: Reservation) -> None:
        """A call was not made."""
        with self._lock:
            if self._live.pop(reservation.call_id, None) is not None:
                self._add(reservation, 0, -1)

    def reset(self, prefix: str) -> None:
        """Somebody set counters to 0; calls in flight count on."""
        with self._lock:
            self._part()
            for place in [place for place in self._rows if place[0].startswith(prefix)]:
                del self._rows[place]
            for reservation in self._live.values():
                for counter in reservation.option.counters:
                    if counter.key.startswith(prefix):
                        self._book(counter, 0, 1)

    def rows(self) -> list[tuple[Counter, State]]:
        """Spent and calls by counter; holds are made again one by one, see :meth:`live`."""
        with self._lock:
            self._part()
            return [(counter, (spent, 0, calls)) for counter, (spent, calls) in self._rows.values()]

    def entries(self) -> list[Entry]:
        """Spending by series and bucket."""
        with self._lock:
            return [Entry(series, slot, nano, calls) for (series, slot), (nano, calls) in self._buckets.items()]

    def live(self) -> list[Reservation]:
        """Calls in flight."""
        with self._lock:
            return list(self._live.values())

    def _add(self, reservation: Reservation, spent: int, calls: int) -> None:
        counters = reservation.option.counters
        known = self._sums.get(id(counters))
        if known is None or known.counters is not counters:
            if len(self._sums) >= _MOST_SUMS:
                self._part()
            known = self._sums[id(counters)] = _Sum(counters)
        known.spent += spent
        known.calls += calls

    def _part(self) -> None:
        """Give each counter what the sums have for it."""
        for each in self._sums.values():
            for counter in each.counters:
                self._book(counter, each.spent, each.calls)
        self._sums.clear()

    def _book(self, counter: Counter, spent: int, calls: int) -> None:
        place = (counter.key, counter.slot)
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = (counter, [0, 0])
            _shorten(self._rows)
        row[1][0] += spent
        row[1][1] += calls


class _Sum:
    """What calls have added that share a tuple of counters."""

    __slots__ = ("calls", "counters", "spent")

    def __init__(self, counters: tuple[Counter, ...]) -> None:
        self.counters = counters
        self.spent = 0
        self.calls = 0


def _shorten(table: dict[tuple[str, int], T]) -> None:
    while len(table) > _MOST_ROWS:
        table.pop(next(iter(table)))
