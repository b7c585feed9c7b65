"""Sums and costs by the values of one key (a user, a run, a key of a context), kept for the keys that were asked for.

Who asked for a call has so many forms that the sums by origin are nearly as many as the calls. So the first report by
such a key over a large store writes down, by value and week, what the calls add up to and what each of them cost, and
later reports add only the calls that were folded since. Folding itself does none of this. A roll-up covers the calls up
to a number (``seq``); what is newer, and the weeks that a report wants in part, are read from the calls.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from llmcost.store.booking import SUM_COLUMNS, WEEK
from llmcost.store.database import writing
from llmcost.store.dimensions import Dimension
from llmcost.store.filters import Filter
from llmcost.store.paths import StoreFolder
from llmcost.store.schema import VERSION_WITH_ROLLUPS, version

LEAST_CALLS: Final = 50_000
"""Calls from which a roll-up is worth its room: fewer are summed up in a tenth of a second."""
_CHUNK: Final = 20_000
"""Calls taken in by one transaction, so that others wait for a tenth of a second at most."""
_BUSY_SECONDS: Final = 1.0
_SUMS_OF_CALLS: Final = (
    "count(*), count(nano), sum(unpriced), coalesce(sum(nano), 0), coalesce(sum(input), 0), coalesce(sum(output), 0),"
    " coalesce(sum(cached), 0), sum(error)"
)
_ADDED: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUM_COLUMNS)
_KEPT_SUMS: Final = ", ".join(f"sum({name})" for name in SUM_COLUMNS)


def roll_up(folder: StoreFolder, by: Dimension) -> None:
    """Bring the roll-up of a key up to date, and begin it where there is none and the store is large.

    Raises:
        OSError: the folder cannot be written.
        sqlite3.Error: the database is busy, full, damaged or read-only.
    """
    with writing(folder, busy_seconds=_BUSY_SECONDS) as connection:
        newest = _newest(connection)
        if by.side != "origin" or newest < LEAST_CALLS:
            return
        while _extend(connection, by) < newest:
            pass


def _extend(connection: sqlite3.Connection, by: Dimension) -> int:
    """Take in some more calls; returns the number of the last one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT OR IGNORE INTO rollups (key, seq) VALUES (?, 0)", (by.name,))
        number, done = connection.execute("SELECT id, seq FROM rollups WHERE key = ?", (by.name,)).fetchone()
        last = min(done + _CHUNK, _newest(connection))
        connection.execute(
            f"INSERT INTO spend_by_value SELECT ?, {by.sql}, week, {_SUMS_OF_CALLS}, group_concat(nano)"
            " FROM calls JOIN origins ON origins.id = origin WHERE seq > ? AND seq <= ? GROUP BY 2, 3"
            f" ON CONFLICT (rollup, value, week) DO UPDATE SET {_ADDED},"
            " costs = coalesce(costs || ',' || excluded.costs, costs, excluded.costs)",
            (number, *by.parameters, done, last),
        )
        connection.execute("UPDATE rollups SET seq = ? WHERE id = ?", (last, number))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return int(last)


def _newest(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM calls").fetchone()[0])


class _Part(NamedTuple):
    """Calls that are read themselves: from where, under which condition, with its parameters."""

    source: str
    condition: str
    parameters: tuple[int, ...]


class Rollup:
    """The roll-up of a key, as one report reads it.

    Args:
        connection: a reading connection.
        by: the key.
        wanted: the range of time; a roll-up knows nothing of other filters.
        number: the number of the roll-up.
        seq: the last call that it covers.
    """

    def __init__(self, connection: sqlite3.Connection, by: Dimension, wanted: Filter, number: int, seq: int) -> None:
        self._connection = connection
        self._by = by
        first = -(-(wanted.since or 0) // WEEK)
        self._kept = (number, first, (1 << 31 if wanted.until is None else wanted.until // WEEK) - 1)
        self._apart = tuple(self._parts(wanted, seq))

    def _parts(self, wanted: Filter, seq: int) -> Iterator[_Part]:
        _, first, last = self._kept
        yield _Part("calls", "seq > ? AND week BETWEEN ? AND ?", (seq, first, last))
        condition, parameters = wanted.where()
        bounds = {bound // WEEK for bound in (wanted.since, wanted.until) if bound is not None and bound % WEEK}
        for week in bounds:
            if not first <= week <= last:
                range_of_time = tuple(int(str(each)) for each in parameters)
                yield _Part("calls INDEXED BY calls_by_cost", f"week = ? AND {condition}", (week, *range_of_time))

    def sums(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Values and what their calls add up to; a value may come several times."""
        yield from self._pairs(
            f"SELECT value, {_KEPT_SUMS} FROM spend_by_value WHERE rollup = ? AND week BETWEEN ? AND ? GROUP BY value",
            self._kept,
        )
        for part in self._apart:
            yield from self._pairs(
                f"SELECT {self._by.sql} AS value, {_SUMS_OF_CALLS} FROM {part.source}"
                f" JOIN origins ON origins.id = origin WHERE {part.condition} GROUP BY value",
                (*self._by.parameters, *part.parameters),
            )

    def _pairs(self, statement: str, parameters: tuple[object, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        for value, *sums in self._connection.execute(statement, parameters):
            yield value, tuple(sums)

    def costs(self, values: Iterable[str]) -> dict[str, list[int]]:
        """The known costs of the calls with these values."""
        chosen = json.dumps(list(values))
        found: dict[str, list[int]] = {}
        self._collect(
            found,
            "SELECT value, group_concat(costs) FROM spend_by_value WHERE rollup = ? AND week BETWEEN ? AND ?"
            " AND value IN (SELECT value FROM json_each(?)) GROUP BY value",
            (*self._kept, chosen),
        )
        for part in self._apart:
            self._collect(
                found,
                f"SELECT {self._by.sql} AS name, group_concat(nano) FROM {part.source}"
                f" JOIN origins ON origins.id = origin WHERE {part.condition}"
                " AND name IN (SELECT value FROM json_each(?)) GROUP BY name",
                (*self._by.parameters, *part.parameters, chosen),
            )
        return found

    def _collect(self, found: dict[str, list[int]], statement: str, parameters: tuple[object, ...]) -> None:
        for value, costs in self._connection.execute(statement, parameters):
            if costs is not None:
                found.setdefault(value, []).extend(json.loads(f"[{costs}]"))


@contextmanager
def rolled(connection: sqlite3.Connection, by: Dimension, wanted: Filter) -> Iterator[Rollup | None]:
    """The roll-up of this key, which nobody changes meanwhile; None where there is none, or it does not answer what is
    wanted."""
    if by.side != "origin" or wanted.values or version(connection) < VERSION_WITH_ROLLUPS:
        yield None
        return
    connection.execute("SAVEPOINT rolled")  # one view of the store for all that is asked
    try:
        row = connection.execute("SELECT id, seq FROM rollups WHERE key = ? AND seq > 0", (by.name,)).fetchone()
        yield None if row is None else Rollup(connection, by, wanted, *row)
    finally:
        connection.execute("RELEASE rolled")


def forget(connection: sqlite3.Connection) -> None:
    """Let no report trust what is rolled up: calls are about to be deleted. The rows go with :data:`UNUSED_ROWS`."""
    connection.execute("DELETE FROM rollups")


UNUSED_ROWS: Final = (
    "DELETE FROM spend_by_value WHERE (rollup, value, week) IN (SELECT rollup, value, week FROM spend_by_value"
    " WHERE rollup NOT IN (SELECT id FROM rollups) LIMIT :rows)"
)
"""Deletes some rows of roll-ups that were forgotten. A number is never given again, so that no new one takes them in.
"""
