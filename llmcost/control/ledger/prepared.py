"""The counters of a call as the SQLite ledger asks for them: one statement reads them all, one books in them all.

Statements and most of their parameters are made once for each tuple of counters, which comes again and again.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from llmcost.control.ledger.contract import NOTHING, Counter, State

_MOST_PREPARED: Final = 20_000
_MOST_AT_ONCE: Final = 500
"""SQLite joins no more SELECTs in one statement."""

BOOK: Final = """
INSERT INTO counters (key, slot, until, spent, held, calls) VALUES {}
ON CONFLICT (key, slot) DO UPDATE SET
    spent = spent + excluded.spent, held = held + excluded.held, calls = calls + excluded.calls
"""
ROW: Final = "(?, ?, ?, ?, ?, ?)"
# Apart from BOOK, since naming an indexed column there would write the index for every call.
_LIVE_ON = "UPDATE counters SET until = :until WHERE key = :key AND slot = :slot AND until < :until"
_ONE = "SELECT {}, spent, held, calls FROM counters WHERE key = ? AND slot = ?"
_ROLLING = "SELECT {}, sum(spent), sum(held), sum(calls) FROM counters WHERE key = ? AND slot BETWEEN ? AND ?"
_HOLD = "INSERT OR IGNORE INTO calls (id, state, expires, keep, choice, stakes) VALUES (?, 'held', ?, ?, ?, ?)"
_SETTLE = "UPDATE calls SET state = 'settled', expires = ?, stakes = '' WHERE id = ? AND state = 'held' AND stakes = ?"


class Prepared:
    """Counters of one call: at least one, and no more than one statement takes."""

    __slots__ = ("_asked", "_book", "_heads", "_lasting", "_places", "_states", "counters")

    def __init__(self, counters: tuple[Counter, ...]) -> None:
        self.counters = counters
        self._places = [(counter.key, counter.slot, counter.until) for counter in counters]
        self._lasting = lasting(self._places)
        self._states, self._book = _statements(tuple([counter.first == counter.slot for counter in counters]))
        asked = [(c.key, c.slot) if c.first == c.slot else (c.key, c.first, c.slot) for c in counters]
        self._asked = [value for values in asked for value in values]
        self._heads = [json.dumps(place)[:-1] for place in self._places]

    def states(self, db: sqlite3.Cursor) -> tuple[State, ...]:
        """The counters as they stand."""
        found: list[State] = [NOTHING] * len(self.counters)
        for place, spent, held, calls in db.execute(self._states, self._asked).fetchall():
            if spent is not None:
                found[place] = spent, held, calls
        return tuple(found)

    def hold(self, db: sqlite3.Cursor, call: tuple[str, float, bool], choice: int, amounts: Sequence[int]) -> bool:
        """Hold amounts for a call; False, and nothing is done, where its id is known.

        Args:
            db: in a transaction.
            call: its id, when its hold ends, and whether it is spent then.
            choice: the place of this option among those asked for.
            amounts: nano-dollars, one for each counter.
        """
        call_id, expires, keep = call
        if not db.execute(_HOLD, (call_id, expires, keep, choice, self._stakes(amounts))).rowcount:
            return False
        self._add(db, [(*place, 0, amount, 1) for place, amount in zip(self._places, amounts, strict=True)])
        return True

    def settle(
        self, db: sqlite3.Cursor, call: tuple[str, float], amounts: Sequence[int], booked: tuple[int, int]
    ) -> bool:
        """Book a cost in place of a hold; False, and nothing is done, where it is not held, or not so.

        Args:
            db: in a transaction.
            call: its id, and until when it is remembered.
            amounts: what it holds.
            booked: nano-dollars that it cost, and for how many calls it stands beside one.
        """
        call_id, expires = call
        if not db.execute(_SETTLE, (expires, call_id, self._stakes(amounts))).rowcount:
            return False
        actual, more = booked
        self._add(db, [(*place, actual, -amount, more) for place, amount in zip(self._places, amounts, strict=True)])
        return True

    def _add(self, db: sqlite3.Cursor, rows: list[tuple[Any, ...]]) -> None:
        db.execute(self._book, [value for row in rows for value in row])
        live_on(db, self._lasting)

    def _stakes(self, amounts: Sequence[int]) -> str:
        """What is held, as :func:`~llmcost.control.ledger.rows.stakes_of` has it, in JSON."""
        pairs = zip(self._heads, amounts, strict=True)
        return "[" + ", ".join([f"{head}, {amount}]" for head, amount in pairs]) + "]"


class Cabinet:
    """Keeps what was prepared by the tuple of counters, as long as there is room."""

    def __init__(self) -> None:
        self._kept: dict[int, Prepared] = {}

    def of(self, counters: tuple[Counter, ...]) -> Prepared | None:
        """The counters, prepared; None where there are none, or more than one statement takes."""
        found = self._kept.get(id(counters))
        if found is None or found.counters is not counters:
            if not 0 < len(counters) <= _MOST_AT_ONCE:
                return None
            if len(self._kept) >= _MOST_PREPARED:
                self._kept.clear()
            found = self._kept[id(counters)] = Prepared(counters)
        return found


def lasting(places: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Of rows that begin with key, slot and end, the totals of runs and sessions: they move their own end."""
    return [{"key": key, "slot": slot, "until": until} for key, slot, until, *_ in places if slot == 0 and until]


def live_on(db: sqlite3.Cursor, rows: Sequence[dict[str, Any]]) -> None:
    """Move the end of such totals."""
    for row in rows:
        db.execute(_LIVE_ON, row)


@functools.lru_cache(256)
def _statements(single: tuple[bool, ...]) -> tuple[str, str]:
    """The statements that read counters, and that book in them; for each counter, whether it is a single slot."""
    states = [(_ONE if alone else _ROLLING).format(place) for place, alone in enumerate(single)]
    return " UNION ALL ".join(states), BOOK.format(", ".join([ROW] * len(single)))
