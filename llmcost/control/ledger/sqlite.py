"""The ledger of one machine: a SQLite file that any number of processes share."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from llmcost.control.ledger.connection import WAIT_S, SqliteFile
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
    Option,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.forks import rebuild_in_child
from llmcost.control.ledger.series import bucket_of, drop_before, grouped, roll_up_before

_Stake = list[Any]
"""``[key, slot, until, amount]`` of one counter, as kept in the file."""

_TIDY_EVERY_S: Final = 300.0
_BITE: Final = 256
"""Rows that one call tidies away at most, so that no call pays for a long pause."""

_STATE = "SELECT spent, held, calls FROM counters WHERE key = ? AND slot = ?"
_STATE_ROLLING = "SELECT sum(spent), sum(held), sum(calls) FROM counters WHERE key = ? AND slot BETWEEN ? AND ?"
_BOOK = """
INSERT INTO counters (key, slot, until, spent, held, calls) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (key, slot) DO UPDATE SET spent = spent + ?4, held = held + ?5, calls = calls + ?6
"""
# Apart from _BOOK, since naming an indexed column there would write the index for every call.
_LIVE_ON = "UPDATE counters SET until = ?3 WHERE key = ?1 AND slot = ?2 AND until < ?3"
_BOOK_SERIES = """
INSERT INTO buckets (series, slot, nano, calls) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (series, slot) DO UPDATE SET nano = nano + ?3, calls = calls + ?4
"""
_SET_CALL = "INSERT OR REPLACE INTO calls (id, state, expires, keep, choice, stakes) VALUES (?, ?, ?, ?, ?, ?)"
_ROLL_UP = f"""
INSERT INTO buckets (series, slot, nano, calls)
SELECT series, slot / {DAY_S} * {DAY_S}, sum(nano), sum(calls) FROM
    (SELECT * FROM buckets WHERE slot < ?1 AND slot % {DAY_S} <> 0 ORDER BY slot, series LIMIT {_BITE})
GROUP BY 1, 2
ON CONFLICT (series, slot) DO UPDATE SET nano = nano + excluded.nano, calls = calls + excluded.calls
"""  # noqa: S608 - numbers of ours
_ROLLED_UP = f"""
DELETE FROM buckets WHERE (series, slot) IN
    (SELECT series, slot FROM buckets WHERE slot < ?1 AND slot % {DAY_S} <> 0 ORDER BY slot, series LIMIT {_BITE})
"""  # noqa: S608 - numbers of ours
_ENDED = f"""
DELETE FROM counters WHERE (key, slot) IN
    (SELECT key, slot FROM counters WHERE until > 0 AND until <= ? AND held = 0 LIMIT {_BITE})
"""  # noqa: S608 - numbers of ours


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
        self._next_expiry = 0.0
        self._next_tidy = 0.0
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """A child of a fork opens its own connection."""
        self._file.after_in_child()

    def now(self) -> float:
        """See the contract."""
        return self._clock()

    def accept(self) -> None:
        """See the contract."""
        self._file.accept()

    def reserve(self, request: Request) -> Reservation | Refusal:
        """See the contract."""
        with self._file.writing() as db:
            now = self._begin(db)
            known = db.execute("SELECT choice FROM calls WHERE id = ?", (request.call_id,)).fetchone()
            if known is not None:
                option = request.options[known[0]]
                return Reservation(request.call_id, known[0], option, _states(db, option.counters))
            refused_by: list[int] = []
            seen: list[tuple[State, ...]] = []
            for index, option in enumerate(request.options):
                states = _states(db, option.counters)
                refused = option.refused_by(states)
                if refused is None:
                    self._hold(db, request, index, now)
                    return Reservation(request.call_id, index, option, states)
                refused_by.append(refused)
                seen.append(states)
        return Refusal(request.call_id, tuple(refused_by), tuple(seen))

    def _hold(self, db: sqlite3.Cursor, request: Request, index: int, now: float) -> None:
        stakes = _stakes(request.options[index])
        _book(db, [(*stake[:3], 0, stake[3], 1) for stake in stakes])
        db.execute(
            _SET_CALL,
            (request.call_id, "held", now + self._hold_s, request.keep, index, json.dumps(stakes)),
        )

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract."""
        with self._file.writing() as db:
            now = self._begin(db)
            row = _call(db, reservation.call_id)
            if row is not None and row[0] == "settled":
                return None
            _book(db, _settlement(reservation, actual, row, calls - 1))
            db.execute(_SET_CALL, (reservation.call_id, "settled", now + REMEMBER_S, 0, reservation.choice, ""))
            _book_series(db, entries)
            return _states(db, reservation.option.counters)

    def release(self, reservation: Reservation) -> None:
        """See the contract."""
        with self._file.writing() as db:
            self._begin(db)
            row = _call(db, reservation.call_id)
            if row is not None and row[0] == "held":
                _book(db, [(*stake[:3], 0, -stake[3], -1) for stake in row[1]])
                db.execute("DELETE FROM calls WHERE id = ?", (reservation.call_id,))

    def renew(self, reservation: Reservation) -> None:
        """See the contract."""
        with self._file.writing() as db:
            expires = self._begin(db) + self._hold_s
            row = _call(db, reservation.call_id)
            if row is not None and row[0] == "settled":
                return
            if row is not None and row[0] == "held":
                db.execute("UPDATE calls SET expires = ? WHERE id = ?", (expires, reservation.call_id))
                return
            kept = row is not None
            stakes = _stakes(reservation.option)
            counts = 0 if reservation.verified else 1
            _book(db, [(*stake[:3], -stake[3] if kept else 0, stake[3], counts) for stake in stakes])
            values = (reservation.call_id, "held", expires, kept, reservation.choice, json.dumps(stakes))
            db.execute(_SET_CALL, values)

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See the contract."""
        if self._clock() >= self._next_expiry:
            with self._file.writing() as db:
                self._begin(db)
                return _states(db, counters)
        with self._file.reading() as db:
            return _states(db, counters)

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """See the contract."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT slot, nano, calls FROM buckets WHERE series = ? AND slot >= ? AND slot < ?",
                (series, start, end),
            ).fetchall()
        return grouped(rows, start, end, step)

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
            # `substr`, not LIKE: a name may hold % and _.
            return db.execute(
                "UPDATE counters SET spent = 0, calls = 0 WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
            ).rowcount

    def restore(self, name: str, rows: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """See the contract."""
        with self._file.writing() as db:
            now = self._begin(db)
            if _call(db, name) is not None:
                return False
            _book(db, [(c.key, c.slot, c.until, *state) for c, state in rows])
            _book_series(db, entries)
            db.execute(_SET_CALL, (name, "settled", now + REMEMBER_S, 0, 0, ""))
            return True

    def expired(self) -> Expired:
        """See the contract."""
        with self._file.writing() as db:
            self._begin(db)
            found = dict(db.execute("SELECT name, value FROM meta WHERE name LIKE 'expired%'").fetchall())
        return Expired(found.get("expired_holds", 0), found.get("expired_nano", 0))

    def tidy(self) -> None:
        """See the contract."""
        while True:
            with self._file.writing() as db:
                now = self._clock()
                if _expire(db, now) + _forget(db, now) == 0:
                    return

    def close(self) -> None:
        """See the contract."""
        self._file.close()

    def _begin(self, db: sqlite3.Cursor) -> float:
        """Expiry is looked for only when something can have expired: whatever was held since lasts longer."""
        now = self._clock()
        if now >= self._next_expiry:
            _expire(db, now)
            first = db.execute("SELECT min(expires) FROM calls").fetchone()[0]
            self._next_expiry = now + self._hold_s if first is None else min(first, now + self._hold_s)
        if now >= self._next_tidy:
            done = _forget(db, now)
            self._next_tidy = now if done >= _BITE else now + _TIDY_EVERY_S
        return now


# --- inside a transaction ---------------------------------------------------------------------------------------


def _states(db: sqlite3.Cursor, counters: Sequence[Counter]) -> tuple[State, ...]:
    return tuple([_state(db, counter) for counter in counters])


def _state(db: sqlite3.Cursor, counter: Counter) -> State:
    if counter.first == counter.slot:
        row = db.execute(_STATE, (counter.key, counter.slot)).fetchone()
    else:
        row = db.execute(_STATE_ROLLING, (counter.key, counter.first, counter.slot)).fetchone()
    return NOTHING if row is None or row[0] is None else row


def _book(db: sqlite3.Cursor, rows: Iterable[tuple[Any, ...]]) -> None:
    rows = list(rows)
    db.executemany(_BOOK, rows)
    for key, slot, until, *_ in rows:
        # Totals of runs and sessions: they move their own end.
        if slot == 0 and until:
            db.execute(_LIVE_ON, (key, slot, until))


def _book_series(db: sqlite3.Cursor, entries: Sequence[Entry]) -> None:
    if entries:
        db.executemany(_BOOK_SERIES, [(e.series, bucket_of(e.at), e.nano, e.calls) for e in entries])


def _stakes(option: Option) -> list[_Stake]:
    pairs = zip(option.counters, option.amounts, strict=True)
    return [[counter.key, counter.slot, counter.until, amount] for counter, amount in pairs]


def _call(db: sqlite3.Cursor, call_id: str) -> tuple[str, list[_Stake]] | None:
    row = db.execute("SELECT state, stakes FROM calls WHERE id = ?", (call_id,)).fetchone()
    return None if row is None else (row[0], json.loads(row[1]) if row[1] else [])


def _settlement(
    reservation: Reservation, actual: int, row: tuple[str, list[_Stake]] | None, more: int
) -> list[tuple[Any, ...]]:
    """Rows that book the cost and undo what the call's row in the file stands for (which may be of another option,
    where the answer to the reservation was lost)."""
    counted = row is None and reservation.verified
    if row is not None and row[0] == "held" and row[1] == _stakes(reservation.option):
        return [(*stake[:3], actual, -stake[3], more) for stake in row[1]]
    rows: list[tuple[Any, ...]] = []
    for key, slot, until, amount in row[1] if row is not None else ():
        held = row is not None and row[0] == "held"
        rows.append((key, slot, until, 0 if held else -amount, -amount if held else 0, -1))
    calls = more + (0 if counted else 1)
    return rows + [(c.key, c.slot, c.until, actual, 0, calls) for c in reservation.option.counters]


def _expire(db: sqlite3.Cursor, now: float) -> int:
    ended = db.execute(
        "SELECT id, state, keep, stakes FROM calls WHERE expires <= ? ORDER BY expires LIMIT ?", (now, _BITE)
    ).fetchall()
    for call_id, state, keep, text in ended:
        if state == "held":
            stakes = json.loads(text)
            _book(db, [(*stake[:3], stake[3] if keep else 0, -stake[3], 0) for stake in stakes])
            amount = max((stake[3] for stake in stakes), default=0)
            db.execute("UPDATE meta SET value = value + 1 WHERE name = 'expired_holds'")
            db.execute("UPDATE meta SET value = value + ? WHERE name = 'expired_nano'", (amount,))
        if state == "held" and keep:
            db.execute("UPDATE calls SET state = 'kept', expires = ? WHERE id = ?", (now + REMEMBER_S, call_id))
        else:
            db.execute("DELETE FROM calls WHERE id = ?", (call_id,))
    return len(ended)


def _forget(db: sqlite3.Cursor, now: float) -> int:
    before = roll_up_before(now)
    db.execute(_ROLL_UP, (before,))
    done = db.execute(_ROLLED_UP, (before,)).rowcount
    done += db.execute("DELETE FROM buckets WHERE slot < ?", (drop_before(now),)).rowcount
    done += db.execute(_ENDED, (now,)).rowcount
    return done + db.execute("DELETE FROM claims WHERE until <= ?", (now,)).rowcount
