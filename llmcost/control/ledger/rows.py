"""What is read and written inside one transaction of the ledger in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from llmcost.control.ledger.contract import DAY_S, NOTHING, REMEMBER_S, Counter, Entry, Option, Reservation, State
from llmcost.control.ledger.prepared import BOOK, ROW, lasting, live_on
from llmcost.control.ledger.series import bucket_of, drop_before, roll_up_before

Stake = list[Any]
"""``[key, slot, until, amount]`` of one counter, as kept in the file."""

BITE: Final = 256
"""Rows that one call tidies away at most, so that no call pays for a long pause."""

_BOOK = BOOK.format(ROW)
_STATE = "SELECT spent, held, calls FROM counters WHERE key = ? AND slot = ?"
_STATE_ROLLING = "SELECT sum(spent), sum(held), sum(calls) FROM counters WHERE key = ? AND slot BETWEEN ? AND ?"
_BOOK_SERIES = """
INSERT INTO buckets (series, slot, nano, calls) VALUES (?, ?, ?, ?)
ON CONFLICT (series, slot) DO UPDATE SET nano = nano + excluded.nano, calls = calls + excluded.calls
"""
SET_CALL: Final = "INSERT OR REPLACE INTO calls (id, state, expires, keep, choice, stakes) VALUES (?, ?, ?, ?, ?, ?)"
_ROLL_UP = f"""
INSERT INTO buckets (series, slot, nano, calls)
SELECT series, slot / {DAY_S} * {DAY_S}, sum(nano), sum(calls) FROM
    (SELECT * FROM buckets WHERE slot < ? AND slot % {DAY_S} <> 0 ORDER BY slot, series LIMIT {BITE})
GROUP BY 1, 2
ON CONFLICT (series, slot) DO UPDATE SET nano = nano + excluded.nano, calls = calls + excluded.calls
"""  # noqa: S608 - numbers of ours
_ROLLED_UP = f"""
DELETE FROM buckets WHERE (series, slot) IN
    (SELECT series, slot FROM buckets WHERE slot < ? AND slot % {DAY_S} <> 0 ORDER BY slot, series LIMIT {BITE})
"""  # noqa: S608 - numbers of ours
_ENDED = f"""
DELETE FROM counters WHERE (key, slot) IN
    (SELECT key, slot FROM counters WHERE until > 0 AND until <= ? AND held = 0 LIMIT {BITE})
"""  # noqa: S608 - numbers of ours


_LIMIT: Final = "limit "
"""Before the key of a counter, where ``meta`` holds a limit that was set while programs run."""


def limits(db: sqlite3.Cursor) -> dict[str, int]:
    """Limits that were set, by the key of a counter."""
    found = db.execute(
        "SELECT substr(name, ?), value FROM meta WHERE name LIKE ?", (len(_LIMIT) + 1, f"{_LIMIT}%")
    ).fetchall()
    return dict(found)


def set_limit(db: sqlite3.Cursor, key: str, nano: int | None) -> None:
    """Set a limit or take it back."""
    db.execute("DELETE FROM meta WHERE name = ?", (_LIMIT + key,))
    if nano is not None:
        db.execute("INSERT INTO meta VALUES (?, ?)", (_LIMIT + key, nano))


def life_of(db: sqlite3.Cursor) -> str:
    """The name of the file's life: another one for each file that was made."""
    return str(db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])


def states_of(db: sqlite3.Cursor, counters: Sequence[Counter]) -> tuple[State, ...]:
    """The counters as they stand."""
    return tuple([_state(db, counter) for counter in counters])


def _state(db: sqlite3.Cursor, counter: Counter) -> State:
    if counter.first == counter.slot:
        row = db.execute(_STATE, (counter.key, counter.slot)).fetchone()
    else:
        row = db.execute(_STATE_ROLLING, (counter.key, counter.first, counter.slot)).fetchone()
    return NOTHING if row is None or row[0] is None else row


def book(db: sqlite3.Cursor, rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows ``(key, slot, until, spent, held, calls)`` to the counters."""
    rows = list(rows)
    db.executemany(_BOOK, rows)
    live_on(db, lasting(rows))


def book_series(db: sqlite3.Cursor, entries: Sequence[Entry]) -> None:
    """Add entries to their buckets."""
    if entries:
        db.executemany(_BOOK_SERIES, [(e.series, bucket_of(e.at), e.nano, e.calls) for e in entries])


def stakes_of(option: Option) -> list[Stake]:
    """What an option holds, in the form kept in the file."""
    pairs = zip(option.counters, option.amounts, strict=True)
    return [[counter.key, counter.slot, counter.until, amount] for counter, amount in pairs]


def find_call(db: sqlite3.Cursor, call_id: str) -> tuple[str, list[Stake]] | None:
    """State and stakes of a call, if it is known."""
    row = db.execute("SELECT state, stakes FROM calls WHERE id = ?", (call_id,)).fetchone()
    return None if row is None else (row[0], json.loads(row[1]) if row[1] else [])


def settlement(
    reservation: Reservation, actual: int, row: tuple[str, list[Stake]] | None, more: int
) -> list[tuple[Any, ...]]:
    """Rows that book the cost and undo what the call's row in the file stands for (which may be of another option,
    where the answer to the reservation was lost)."""
    counted = row is None and reservation.verified
    if row is not None and row[0] == "held" and row[1] == stakes_of(reservation.option):
        return [(*stake[:3], actual, -stake[3], more) for stake in row[1]]
    calls = more + (0 if counted else 1)
    return undone(row) + [(c.key, c.slot, c.until, actual, 0, calls) for c in reservation.option.counters]


def undone(row: tuple[str, list[Stake]] | None) -> list[tuple[Any, ...]]:
    """Rows that take back all that a call stands for as long as it is not settled."""
    if row is None:
        return []
    state, stakes = row
    spent, held = -(state == "kept"), -(state == "held")
    return [(*stake[:3], spent * stake[3], held * stake[3], -1) for stake in stakes]


def take_back(db: sqlite3.Cursor, call_id: str) -> None:
    """A call was not made: nothing of it counts any more."""
    row = find_call(db, call_id)
    if row is not None and row[0] != "settled":
        book(db, undone(row))
        db.execute("DELETE FROM calls WHERE id = ?", (call_id,))


def reset(db: sqlite3.Cursor, prefix: str) -> int:
    """Begin the counters anew whose key starts with ``prefix``; see the contract. Returns how many."""
    # `substr`, not LIKE: a name may hold % and _.
    done = db.execute(
        "UPDATE counters SET spent = 0, calls = 0 WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
    ).rowcount
    open_calls = db.execute("SELECT id, state, stakes FROM calls WHERE state <> 'settled'").fetchall()
    for call_id, state, text in open_calls:
        stakes = json.loads(text)
        begun = [stake for stake in stakes if stake[0].startswith(prefix)]
        if begun and state == "held":
            book(db, [(*stake[:3], 0, 0, 1) for stake in begun])
        elif begun:
            rest = [stake for stake in stakes if stake not in begun]
            db.execute("UPDATE calls SET stakes = ? WHERE id = ?", (json.dumps(rest), call_id))
    return done


def expire(db: sqlite3.Cursor, now: float) -> int:
    """Give expired holds back, forget old call ids; at most a bite of them. Returns how many."""
    ended = db.execute(
        "SELECT id, state, keep, stakes FROM calls WHERE expires <= ? ORDER BY expires LIMIT ?", (now, BITE)
    ).fetchall()
    for call_id, state, keep, text in ended:
        if state == "held":
            stakes = json.loads(text)
            book(db, [(*stake[:3], stake[3] if keep else 0, -stake[3], 0) for stake in stakes])
            amount = max((stake[3] for stake in stakes), default=0)
            db.execute("UPDATE meta SET value = value + 1 WHERE name = 'expired_holds'")
            db.execute("UPDATE meta SET value = value + ? WHERE name = 'expired_nano'", (amount,))
            after = ("kept" if keep else "expired", now + REMEMBER_S, call_id)
            db.execute("UPDATE calls SET state = ?, expires = ? WHERE id = ?", after)
        else:
            db.execute("DELETE FROM calls WHERE id = ?", (call_id,))
    return len(ended)


def forget(db: sqlite3.Cursor, now: float) -> int:
    """Roll old buckets up and forget what has ended; at most a bite of each. Returns how many rows."""
    before = roll_up_before(now)
    db.execute(_ROLL_UP, (before,))
    done = db.execute(_ROLLED_UP, (before,)).rowcount
    done += db.execute("DELETE FROM buckets WHERE slot < ?", (drop_before(now),)).rowcount
    done += db.execute(_ENDED, (now,)).rowcount
    return done + db.execute("DELETE FROM claims WHERE until <= ?", (now,)).rowcount
