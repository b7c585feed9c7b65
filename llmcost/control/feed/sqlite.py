"""The feed of one machine: a SQLite file beside the ledger's, so that its long transactions hold up no call."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from llmcost.control.feed.contract import (
    MOST_KEYS,
    NAMES_KEPT_S,
    REPORTS_KEPT_S,
    FeedRow,
    Found,
    Kept,
    Step,
    Sums,
    until_of,
)
from llmcost.control.ledger.connection import SqliteFile
from llmcost.control.ledger.contract import LedgerFailure
from llmcost.control.ledger.forks import rebuild_in_child

WAIT_S: Final = 1.0
"""Nobody waits for a feed but its own thread, and the end of a program."""

_SCHEMA: Final = resources.files("llmcost.control.feed").joinpath("feed.sql")
_ADD: Final = """
INSERT INTO sums SELECT max(?, coalesce(value, 0)), ?, ?, ?, ?, ?, ?, ? FROM meta WHERE name = 'cursor'
ON CONFLICT (slot, who) DO UPDATE SET calls = calls + excluded.calls,
    priced = priced + excluded.priced, nano = nano + excluded.nano, tokens = tokens + excluded.tokens,
    errors = errors + excluded.errors, retries = retries + excluded.retries
"""
_KEEP: Final = """
INSERT INTO series VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET touched = excluded.touched, awake = excluded.awake, state = excluded.state
"""


class SqliteFeed:
    """See :class:`~llmcost.control.feed.contract.Feed`.

    Args:
        path: the file.
        clock: Unix time in seconds; all processes of a machine share it.
        wait_s: how long to wait for other writers.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, *, wait_s: float = WAIT_S) -> None:
        self.path = path
        self.now = clock
        self._file = SqliteFile(path, wait_s=wait_s, schema=_SCHEMA)
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """A child of a fork opens its own connection."""
        self._file.after_in_child()

    def add(self, rows: Iterable[FeedRow], once: str) -> None:
        """See the contract."""
        values = [(slot, who, *sums) for slot, who, sums in rows]
        if not values:
            return
        try:
            self._add(values, once)
        except LedgerFailure as failure:
            if failure.reason != "emptied":
                raise
            self._file.accept()
            self._add(values, once)

    def _add(self, values: Sequence[tuple[object, ...]], once: str) -> None:
        with self._file.writing() as db:
            if db.execute("INSERT OR IGNORE INTO added VALUES (?, ?)", (once, self.now())).rowcount:
                db.executemany(_ADD, values)

    def due(self, grace_s: float, most_s: float) -> Step | None:
        """See the contract."""
        with self._file.reading() as db:
            cursor = _cursor(db)
            first = db.execute("SELECT min(slot) FROM sums").fetchone()[0]
            awake = db.execute("SELECT 1 FROM series WHERE awake = 1 LIMIT 1").fetchone() is not None
            until = until_of(self.now(), grace_s, most_s, first)
            if until <= (cursor or 0) or (not awake and (first is None or first >= until)):
                return None
            return Step(cursor, until, _before(db, until))

    def awake(self) -> list[str]:
        """See the contract."""
        with self._file.reading() as db:
            return [key for (key,) in db.execute("SELECT key FROM series WHERE awake = 1 ORDER BY key").fetchall()]

    def states(self, keys: Iterable[str]) -> dict[str, str]:
        """See the contract."""
        with self._file.reading() as db:
            return dict(
                db.execute(
                    "SELECT key, state FROM series WHERE key IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(keys)),),
                ).fetchall()
            )

    def keys(self, kind: str, most: int) -> list[str]:
        """See the contract."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT key FROM series WHERE kind = ? ORDER BY touched DESC, key LIMIT ?", (kind, most)
            ).fetchall()
        return [key for (key,) in rows]

    def claim(self, step: Step, for_s: float) -> bool:
        """See the contract."""
        now = self.now()
        with self._file.writing() as db:
            db.execute("DELETE FROM claims WHERE until <= ?", (now,))
            taken = db.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (str(step.cursor), now + for_s))
            return taken.rowcount == 1

    def commit(self, step: Step, kept: Sequence[Kept], found: Sequence[Found], most_keys: int = MOST_KEYS) -> bool:
        """See the contract."""
        with self._file.writing() as db:
            if _cursor(db) != step.cursor or list(step.rows) != _before(db, step.until):
                return False
            db.execute("UPDATE meta SET value = ? WHERE name = 'cursor'", (step.until,))
            db.execute("DELETE FROM sums WHERE slot < ?", (step.until,))
            db.executemany(
                _KEEP, [(key, key.partition("=")[0], step.until, awake, state) for key, state, awake in kept]
            )
            _drop(db, most_keys)
            db.executemany("INSERT OR IGNORE INTO reports VALUES (?, ?, 0, ?)", found)
            db.execute("DELETE FROM added WHERE at < ?", (self.now() - NAMES_KEPT_S,))
            db.execute("DELETE FROM reports WHERE at < ?", (self.now() - REPORTS_KEPT_S,))
        return True

    def take(self) -> list[str]:
        """See the contract."""
        with self._file.reading() as db:
            if db.execute("SELECT 1 FROM reports WHERE told = 0 LIMIT 1").fetchone() is None:
                return []
        with self._file.writing() as db:
            found = db.execute("SELECT report FROM reports WHERE told = 0 ORDER BY at, name").fetchall()
            db.execute("UPDATE reports SET told = 1 WHERE told = 0")
        return [report for (report,) in found]

    def reports(self, since: float) -> list[str]:
        """See the contract."""
        with self._file.reading() as db:
            found = db.execute("SELECT report FROM reports WHERE at >= ? ORDER BY at, name", (since,)).fetchall()
        return [report for (report,) in found]

    def dropped(self) -> int:
        """See the contract."""
        with self._file.reading() as db:
            return int(db.execute("SELECT value FROM meta WHERE name = 'dropped'").fetchone()[0])

    def close(self) -> None:
        """See the contract."""
        self._file.close()


def _cursor(db: sqlite3.Cursor) -> int | None:
    found: int | None = db.execute("SELECT value FROM meta WHERE name = 'cursor'").fetchone()[0]
    return found


def _before(db: sqlite3.Cursor, until: int) -> list[FeedRow]:
    found = db.execute("SELECT * FROM sums WHERE slot < ? ORDER BY slot, who", (until,))
    return [FeedRow(slot, who, Sums(*sums)) for slot, who, *sums in found]


def _drop(db: sqlite3.Cursor, most_keys: int) -> None:
    """Drop the series that were silent longest, where there are too many."""
    over = db.execute("SELECT count(*) FROM series").fetchone()[0] - most_keys
    if over > 0:
        db.execute("DELETE FROM series WHERE key IN (SELECT key FROM series ORDER BY touched, key LIMIT ?)", (over,))
        db.execute("UPDATE meta SET value = value + ? WHERE name = 'dropped'", (over,))
