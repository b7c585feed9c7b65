"""Deleting old calls, in steps so short that nobody waits, and giving the room back to the disk.

The steps are transactions of their own. A kill between two leaves a readable store, and the next prune goes on. Sums go
before the calls that they sum, so that no report shows money that can no longer be looked into.
"""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from llmcost.store.booking import WEEK
from llmcost.store.rollup import (
    DISTRUSTED_ROWS,
    calls_were_deleted,
    distrust,
    release,
    roll_up_again,
    trusts,
)
from llmcost.store.transactions import transaction

STEP_SECONDS: Final = 0.004
"""How long a step should hold the database; the number of rows a step deletes is fitted to it."""
_PAUSE_SECONDS: Final = 0.004
_REST: Final = 3
"""Pauses are so many times as long as the step before them. A writer that finds the database busy looks again after 1,
2, 5, 10 and 15 ms: it finds it free with its next tries."""
_FEWEST: Final = 20
_MOST: Final = 5_000
_PAGES: Final = 50
_CHECKPOINT_CHANGES: Final = 200
"""Rows after which the log goes into the database. SQLite's thousand pages make a write to the disk for which the
programs that append to their spool wait some 20 ms."""
_OLD_SUMS: Final = tuple(
    f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition} LIMIT :rows)"
    for table, key, condition in (
        ("spend_by_series", "series, quarter", "quarter < :before"),
        ("marks", "quarter, kind, subject", "quarter < :before"),
    )
)
_SUMS: Final = (*_OLD_SUMS, DISTRUSTED_ROWS)
_OLD_CALLS: Final = "SELECT seq, week FROM calls INDEXED BY calls_by_quarter WHERE quarter < :before LIMIT :rows"
_USED_ORIGINS: Final = "SELECT DISTINCT origin FROM calls"
_UNUSED: Final = (
    (
        "series",
        "SELECT DISTINCT series FROM spend_by_series",
        "SELECT series FROM spend_by_series WHERE series IN {ids}",
    ),
    ("origins", _USED_ORIGINS, "SELECT origin FROM calls WHERE origin IN {ids}"),
    (
        "asker_values",
        "SELECT DISTINCT value FROM origins_by_value",
        "SELECT value FROM origins_by_value WHERE value IN {ids}",
    ),
)
"""Tables of names; the names in use; and those of some names that are in use, found by index."""


@dataclass(slots=True)
class Pruned:
    """What was deleted: calls, names that nothing uses any more, and the bytes given back."""

    calls: int = 0
    names: int = 0
    bytes: int = 0


def prune(
    connection: sqlite3.Connection,
    before: int,
    *,
    progress: Callable[[int], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> Pruned:
    """Delete all calls that started before a quarter of an hour, and all that hangs on them; shrink the file.

    Args:
        connection: a writing connection.
        before: the first quarter of an hour that stays.
        progress: told the number of calls deleted so far.
        pause: waits between steps, so that others get their turn.

    Raises:
        sqlite3.Error: the database is busy, damaged or read-only.
    """
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # else a step would count the disk's time as its own
    result, size = Pruned(), _size(connection)
    steps = _Steps(connection, before, pause)
    steps.distrust()
    steps.delete_sums()
    while count := steps.delete_calls():
        result.calls += count
        progress(result.calls)
    steps.delete_sums()  # of old calls that were folded meanwhile
    steps.release()
    steps.delete_values_of_origins()
    for table, used, in_use in _UNUSED:
        result.names += steps.delete_names(table, used, in_use)
    steps.shrink()
    result.bytes = size - _size(connection)
    return result


class _Steps:
    """Short transactions, whose size is fitted to the time that they take."""

    def __init__(self, connection: sqlite3.Connection, before: int, pause: Callable[[float], None]) -> None:
        self._connection = connection
        self._bounds = {"before": before}
        self._week_after = -(-before // WEEK)
        self._pause = pause
        self._rows = _FEWEST
        self._changes = connection.total_changes

    def distrust(self) -> None:
        """Have reports read the weeks that lose calls from the calls themselves."""
        self._step(self._distrust)

    def _distrust(self) -> int:
        distrust(self._connection, self._week_after)
        return 0

    def release(self) -> None:
        """Roll up again what is left of these weeks."""
        self._step(self._release)
        while self._step(functools.partial(roll_up_again, self._connection)):
            pass

    def _release(self) -> int:
        release(self._connection, self._week_after)
        return 0

    def delete_sums(self) -> None:
        """Delete all old sums and marks."""
        for statement in _SUMS:
            while self._step(functools.partial(self._delete, statement)):
                pass

    def _delete(self, statement: str) -> int:
        return self._connection.execute(statement, self._bounds | {"rows": self._rows}).rowcount

    def delete_calls(self) -> int:
        """One step of deleting calls and their records."""
        return self._step(self._delete_calls)

    def _delete_calls(self) -> int:
        found = self._connection.execute(_OLD_CALLS, self._bounds | {"rows": self._rows}).fetchall()
        if trusts(self._connection, {week for _, week in found}):
            distrust(self._connection, self._week_after)  # an old call was folded, or another prune is done
        rows = [(seq,) for seq, _ in found]
        self._connection.executemany("DELETE FROM records WHERE seq = ?", rows)
        self._connection.executemany("DELETE FROM calls WHERE seq = ?", rows)
        calls_were_deleted(self._connection)
        return len(rows)

    def delete_values_of_origins(self) -> None:
        """Delete what finds the origins that nothing uses, in the order in which it stands: their names follow, in
        another order, and each would change a page for every key."""
        live = {row[0] for row in self._connection.execute(_USED_ORIGINS)}
        place: tuple[int, int] | None = (-1, -1)
        while place is not None:
            found = self._connection.execute(
                "SELECT value, origin FROM origins_by_value WHERE (value, origin) > (?, ?) LIMIT ?", (*place, _MOST)
            ).fetchall()
            place = found[-1] if found else None
            idle = [pair for pair in found if pair[1] not in live]
            while idle:
                part, idle = idle[: self._rows], idle[self._rows :]
                self._step(functools.partial(self._delete_values, part))

    def _delete_values(self, pairs: list[tuple[int, int]]) -> int:
        """A writer may just have used one of the origins; its pair is then needed."""
        self._connection.executemany(
            "DELETE FROM origins_by_value WHERE value = ? AND origin = ?"
            " AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.origin = origins_by_value.origin)",
            pairs,
        )
        return len(pairs)

    def delete_names(self, table: str, used: str, among: str) -> int:
        """Delete the names that nothing uses. Each is looked at again in its step: a writer may just have used it. The
        last name stays, so that no number is given again."""
        live = {row[0] for row in self._connection.execute(used)}
        idle = [row[0] for row in self._connection.execute(f"SELECT id FROM {table} ORDER BY id") if row[0] not in live]
        deleted = 0
        while idle:
            part, idle = idle[: self._rows], idle[self._rows :]
            deleted += self._step(functools.partial(self._delete_unused, table, among, part))
        return deleted

    def _delete_unused(self, table: str, among: str, numbers: list[int]) -> int:
        ids = f"({', '.join(map(str, numbers))})"
        last = f"(SELECT max(id) FROM {table})"
        in_use = among.format(ids=ids)
        return self._connection.execute(
            f"DELETE FROM {table} WHERE id IN {ids} AND id NOT IN ({in_use}) AND id < {last}"
        ).rowcount

    def shrink(self) -> None:
        """Give free pages back to the disk, some at a time."""
        while self._connection.execute("PRAGMA freelist_count").fetchone()[0]:
            # Only a script is stepped to its end: `execute` would free a single page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
            self._pause(_PAUSE_SECONDS)
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _step(self, work: Callable[[], int]) -> int:
        with transaction(self._connection):
            begun = time.perf_counter()
            count = work()
        taken = time.perf_counter() - begun
        self._checkpoint()
        self._rows = max(_FEWEST, min(_MOST, 2 * self._rows, int(self._rows * STEP_SECONDS / max(taken, 1e-4))))
        self._pause(max(_PAUSE_SECONDS, _REST * taken))
        return count

    def _checkpoint(self) -> None:
        """Let what was written go into the database, where it is enough; nobody waits for that in SQLite itself."""
        if self._connection.total_changes - self._changes >= _CHECKPOINT_CHANGES:
            self._changes = self._connection.total_changes
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _size(connection: sqlite3.Connection) -> int:
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages * size)
