"""The ledger of one machine: a SQLite file that any number of processes share."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from llmcost.control.ledger import rows
from llmcost.control.ledger.connection import WAIT_S, SqliteFile
from llmcost.control.ledger.contract import (
    BUCKET_S,
    HOLD_S,
    REMEMBER_S,
    Bucket,
    Counter,
    Entry,
    Expired,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.forks import rebuild_in_child
from llmcost.control.ledger.prepared import Cabinet
from llmcost.control.ledger.series import grouped
from llmcost.records import make_tuple

_TIDY_EVERY_S: Final = 300.0


class SqliteLedger:
    """See :class:`~llmcost.control.ledger.contract.Ledger`.

    Args:
        path: the file.
        clock: Unix time in seconds; all processes of a machine share it.
        hold_s: how long a hold lasts without renewal.
        wait_s: how long a call waits for other writers.
    """

    network = False
    waiting = 0

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        *,
        hold_s: float = HOLD_S,
        wait_s: float = WAIT_S,
    ) -> None:
        self._file = SqliteFile(path, wait_s=wait_s)
        self._clock = clock
        self._hold_s = hold_s
        self._cabinet = Cabinet()
        self._next_expiry = 0.0
        self._next_tidy = 0.0
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """A child of a fork opens its own connection."""
        self._file.after_in_child()

    def now(self) -> float:
        """See the contract."""
        return self._clock()

    def reserve(self, request: Request) -> Reservation | Refusal:
        """See the contract."""
        answer = self._reserve(request)
        while isinstance(answer, Refusal) and self._clock() >= self._next_expiry:
            # Holds that have expired may have counted: each look gives a bite of them back.
            answer = self._reserve(request)
        return answer

    def _reserve(self, request: Request) -> Reservation | Refusal:
        with self._file.writing() as db:
            now = self._begin(db)
            quick = self._quickly(db, request, now)
            if quick is not None:
                return quick
            known = db.execute("SELECT state, choice FROM calls WHERE id = ?", (request.call_id,)).fetchone()
            if known is not None and known[0] in ("held", "settled"):
                option = request.options[known[1]]
                states = rows.states_of(db, option.counters)
                return Reservation(request.call_id, known[1], option, states, keep=request.keep)
            if known is not None:
                rows.take_back(db, request.call_id)
            refused_by: list[int] = []
            seen: list[tuple[State, ...]] = []
            for index, option in enumerate(request.options):
                states = rows.states_of(db, option.counters)
                refused = option.refused_by(states)
                if refused is None:
                    self._hold(db, request, index, now)
                    return Reservation(request.call_id, index, option, states, keep=request.keep)
                refused_by.append(refused)
                seen.append(states)
        return Refusal(request.call_id, tuple(refused_by), tuple(seen))

    def _quickly(self, db: sqlite3.Cursor, request: Request, now: float) -> Reservation | None:
        """The usual answer: the first option fits, and the call is not known. None, and nothing is done, else."""
        call_id, options, keep = request
        option = options[0]
        prepared = self._cabinet.of(option.counters)
        if prepared is None:
            return None
        states = prepared.states(db)
        if option.refused_by(states) is not None:
            return None
        if not prepared.hold(db, (call_id, now + self._hold_s, keep), 0, option.amounts):
            return None
        told = () if option.is_far(states) else states
        return make_tuple(Reservation, (call_id, 0, option, told, True, keep))

    def _hold(self, db: sqlite3.Cursor, request: Request, index: int, now: float) -> None:
        stakes = rows.stakes_of(request.options[index])
        rows.book(db, [(*stake[:3], 0, stake[3], 1) for stake in stakes])
        db.execute(
            rows.SET_CALL,
            (request.call_id, "held", now + self._hold_s, request.keep, index, json.dumps(stakes)),
        )

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract."""
        call_id, option = reservation.call_id, reservation.option
        with self._file.writing() as db:
            now = self._begin(db)
            prepared, call = self._cabinet.of(option.counters), (call_id, now + REMEMBER_S)
            if prepared is not None and prepared.settle(db, call, option.amounts, (actual, calls - 1)):
                rows.book_series(db, entries)
                # A call that was far from all marks and costs no more than it held brings nobody to a mark: who holds
                # more meanwhile, and so comes there, looks when it ends.
                far = reservation.verified and not reservation.states and actual <= min(option.amounts)
                return () if far else prepared.states(db)
            row = rows.find_call(db, call_id)
            if row is not None and row[0] == "settled":
                return None
            rows.book(db, rows.settlement(reservation, actual, row, calls - 1))
            db.execute(rows.SET_CALL, (reservation.call_id, "settled", now + REMEMBER_S, 0, reservation.choice, ""))
            rows.book_series(db, entries)
            return rows.states_of(db, reservation.option.counters)

    def release(self, reservation: Reservation) -> None:
        """See the contract."""
        with self._file.writing() as db:
            self._begin(db)
            rows.take_back(db, reservation.call_id)

    def renew(self, reservation: Reservation) -> None:
        """See the contract."""
        with self._file.writing() as db:
            expires = self._begin(db) + self._hold_s
            row = rows.find_call(db, reservation.call_id)
            if row is not None and row[0] == "settled":
                return
            if row is not None and row[0] == "held":
                db.execute("UPDATE calls SET expires = ? WHERE id = ?", (expires, reservation.call_id))
                return
            stakes = rows.stakes_of(reservation.option)
            counts = 0 if row is None and reservation.verified else 1
            rows.book(db, rows.undone(row) + [(*stake[:3], 0, stake[3], counts) for stake in stakes])
            values = (reservation.call_id, "held", expires, reservation.keep, reservation.choice, json.dumps(stakes))
            db.execute(rows.SET_CALL, values)

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See the contract."""
        self._expire()
        with self._file.reading() as db:
            return rows.states_of(db, counters)

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """See the contract."""
        with self._file.reading() as db:
            found = db.execute(
                "SELECT slot, nano, calls FROM buckets WHERE series = ? AND slot >= ? AND slot < ?",
                (series, start, end),
            ).fetchall()
        return grouped(found, start, end, step)

    def claim(self, name: str, until: float) -> bool:
        """See the contract."""
        with self._file.writing() as db:
            now = self._begin(db)
            row = db.execute("SELECT until FROM claims WHERE name = ?", (name,)).fetchone()
            if row is not None and row[0] > now:
                return False
            db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (name, until))
            return True

    def reset(self, prefix: str) -> int:
        """See the contract."""
        with self._file.writing() as db:
            self._begin(db)
            return rows.reset(db, prefix)

    def limits(self) -> Mapping[str, int]:
        """See the contract."""
        with self._file.reading() as db:
            return rows.limits(db)

    def set_limit(self, key: str, amount: int | None) -> None:
        """See the contract."""
        with self._file.writing() as db:
            rows.set_limit(db, key, amount)

    def keys(self, prefix: str) -> list[str]:
        """See the contract."""
        with self._file.reading() as db:
            found = db.execute(
                "SELECT DISTINCT key FROM counters WHERE substr(key, 1, ?) = ? ORDER BY key", (len(prefix), prefix)
            ).fetchall()
        return [key for (key,) in found]

    def restore(self, name: str, sums: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """See the contract."""
        with self._file.writing(accept=True) as db:
            now = self._begin(db)
            once = f"{name}:{rows.life_of(db)}"
            if rows.find_call(db, once) is not None:
                return False
            rows.book(db, [(c.key, c.slot, c.until, *state) for c, state in sums])
            rows.book_series(db, entries)
            db.execute(rows.SET_CALL, (once, "settled", now + REMEMBER_S, 0, 0, ""))
            return True

    def expired(self) -> Expired:
        """See the contract."""
        self._expire()
        with self._file.reading() as db:
            found = dict(db.execute("SELECT name, value FROM meta WHERE name LIKE 'expired%'").fetchall())
        return Expired(found.get("expired_holds", 0), found.get("expired_nano", 0))

    def tidy(self) -> None:
        """See the contract."""
        while True:
            with self._file.writing() as db:
                now = self._clock()
                if rows.expire(db, now) + rows.forget(db, now) == 0:
                    return

    def close(self) -> None:
        """See the contract."""
        self._file.close()

    def _expire(self) -> None:
        """All holds that have expired, a bite of them in each transaction."""
        while self._clock() >= self._next_expiry:
            with self._file.writing() as db:
                self._begin(db)

    def _begin(self, db: sqlite3.Cursor) -> float:
        """Expiry is looked for only when something can have expired: whatever was held since lasts longer."""
        now = self._clock()
        if now >= self._next_expiry:
            rows.expire(db, now)
            first = db.execute("SELECT min(expires) FROM calls").fetchone()[0]
            self._next_expiry = now + self._hold_s if first is None else min(first, now + self._hold_s)
        if now >= self._next_tidy:
            done = rows.forget(db, now)
            self._next_tidy = now if done >= rows.BITE else now + _TIDY_EVERY_S
        return now
