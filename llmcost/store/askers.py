"""Reading what is rolled up by key and value of who asked: sums by value, single costs, and the calls of a value.

What is not rolled up (newer calls, weeks that are wanted in part or were pruned) is read from the calls, so that the
answer is the same to the nano-dollar.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Final, NamedTuple

from llmcost.store.booking import SUM_COLUMNS, WEEK
from llmcost.store.dimensions import Dimension, dimension
from llmcost.store.filters import Filter
from llmcost.store.rollup import SUMS_OF_CALLS
from llmcost.store.schema import VERSION_WITH_ASKERS, version
from llmcost.store.weeks import weeks

_SUMS: Final = ", ".join(f"coalesce(sum({name}), 0)" for name in SUM_COLUMNS)
_NAMED_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in SUM_COLUMNS)
_LISTED: Final = "(SELECT value FROM json_each(?))"
_CHOSEN: Final = (
    "seq, started_ns, week, quarter, series, origin, nano AS cost, 1 AS calls, nano IS NOT NULL AS priced, unpriced,"
    " coalesce(nano, 0) AS nano, coalesce(input, 0) AS input, coalesce(output, 0) AS output,"
    " coalesce(cached, 0) AS cached, error AS errors"
)
_number: Final = count()


class _Calls(NamedTuple):
    """Calls that are read themselves: from where, under which condition, with its parameters."""

    source: str
    condition: str
    parameters: tuple[object, ...]


class _Rolled(NamedTuple):
    """What is read of a roll-up: the number of its key, whole weeks, and the last call that is in it."""

    key: int
    weeks: tuple[int, ...]
    seq: int


class Askers:
    """The calls by the values of a key, as one report reads them; nobody changes the store meanwhile.

    Args:
        connection: a reading connection.
        by: the key.
        wanted: which calls, by anything but who asked.
    """

    def __init__(self, connection: sqlite3.Connection, by: Dimension, wanted: Filter) -> None:
        self._connection = connection
        self._by = by
        self._series, self._series_values = Filter(values=wanted.values).where()
        self._rolled = _rolled(connection, by, wanted)
        self._apart = tuple(self._calls(wanted))

    def _calls(self, wanted: Filter) -> Iterator[_Calls]:
        """The calls that are not read of the roll-up."""
        condition, parameters = wanted.where()
        if self._rolled is None:
            yield _Calls("calls", condition, tuple(parameters))
            return
        _, whole, seq = self._rolled
        yield _Calls("calls NOT INDEXED", f"seq > ? AND {condition}", (seq, *parameters))
        for week in _weeks(self._connection, wanted):
            if week not in whole:
                week_of_it = f"week = ? AND seq <= ? AND {condition}"
                yield _Calls("calls INDEXED BY calls_by_cost", week_of_it, (week, seq, *parameters))

    def sums(self) -> Iterator[tuple[str, Sequence[int]]]:
        """Values and what their calls add up to; a value may come several times."""
        if self._rolled is not None:
            named = list(self._rolled_sums(self._rolled))
            yield from named
            rest = self._nameless(self._rolled, [sums for _, sums in named])
            if rest[0]:
                yield "", rest
        for part in self._apart:
            yield from _pairs(
                self._connection.execute(
                    f"SELECT {self._by.sql} AS name, {SUMS_OF_CALLS} FROM {part.source}"
                    f" JOIN origins ON origins.id = origin WHERE {part.condition} GROUP BY name",
                    (*self._by.parameters, *part.parameters),
                )
            )

    def _rolled_sums(self, rolled: _Rolled) -> Iterator[tuple[str, Sequence[int]]]:
        by_week = (  # in the order of the table: only the sums of weeks are sorted
            f"SELECT value AS number, {_NAMED_SUMS} FROM spend_by_asker"
            f" WHERE key = ? AND week IN {_LISTED} AND {self._series} GROUP BY week, value"
        )
        sums = f"SELECT number, {_SUMS} FROM ({by_week}) GROUP BY number"
        rows = self._connection.execute(
            f"SELECT asker_values.value, sums.* FROM ({sums}) AS sums JOIN asker_values ON asker_values.id = number",
            (rolled.key, json.dumps(rolled.weeks), *self._series_values),
        )
        yield from ((value, sums) for value, _, *sums in rows)

    def _nameless(self, rolled: _Rolled, named: Sequence[Sequence[int]]) -> Sequence[int]:
        """What the rolled-up calls without a value add up to: they stand nowhere by themselves."""
        weeks = json.dumps(rolled.weeks)
        everything = self._connection.execute(
            f"SELECT {_SUMS} FROM spend_by_series WHERE quarter / {WEEK} IN {_LISTED} AND {self._series}",
            (weeks, *self._series_values),
        ).fetchone()
        newer = self._connection.execute(
            f"SELECT {SUMS_OF_CALLS} FROM calls NOT INDEXED WHERE seq > ? AND week IN {_LISTED} AND {self._series}",
            (rolled.seq, weeks, *self._series_values),
        ).fetchone()
        columns = zip(everything, newer, *named, strict=True)
        return [known - sum(others) for known, *others in columns]

    def costs(self, values: Iterable[str]) -> dict[str, list[int]]:
        """The known costs of the calls with these values, none of which is empty."""
        chosen = json.dumps(list(values))
        found: dict[str, list[int]] = {}
        if self._rolled is not None:
            _collect(found, self._rolled_costs(self._rolled, chosen))
        for part in self._apart:
            _collect(
                found,
                self._connection.execute(
                    f"SELECT {self._by.sql} AS name, group_concat(nano) FROM {part.source}"
                    f" JOIN origins ON origins.id = origin WHERE {part.condition} AND name IN {_LISTED} GROUP BY name",
                    (*self._by.parameters, *part.parameters, chosen),
                ),
            )
        return found

    def _rolled_costs(self, rolled: _Rolled, chosen: str) -> Iterable[tuple[str, str | None]]:
        numbers = f"SELECT id FROM asker_values WHERE key = ? AND value IN {_LISTED}"
        costs = (
            "SELECT value AS number, group_concat(costs) AS costs FROM spend_by_asker"
            f" WHERE key = ? AND week IN {_LISTED} AND value IN ({numbers}) AND {self._series} GROUP BY number"
        )
        return self._connection.execute(
            f"SELECT asker_values.value, costs FROM ({costs}) JOIN asker_values ON asker_values.id = number",
            (rolled.key, json.dumps(rolled.weeks), rolled.key, chosen, *self._series_values),
        )

    def named(self) -> list[str]:
        """All values that are not empty."""
        return [value for value, _ in self.sums() if value]


def _pairs(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[str, Sequence[int]]]:
    for value, *sums in rows:
        yield value, sums  # type: ignore[misc]


def _collect(found: dict[str, list[int]], rows: Iterable[tuple[str, str | None]]) -> None:
    for value, costs in rows:
        if costs is not None:
            found.setdefault(value, []).extend(json.loads(f"[{costs}]"))


@contextmanager
def askers(connection: sqlite3.Connection, by: Dimension, wanted: Filter) -> Iterator[Askers]:
    """The calls by the values of a key, with one view of the store for all that is asked of them."""
    with _one_view(connection):
        yield Askers(connection, by, wanted)


@contextmanager
def _one_view(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("SAVEPOINT one_view")
    try:
        yield
    finally:
        connection.execute("RELEASE one_view")


def _rolled(connection: sqlite3.Connection, by: Dimension, wanted: Filter) -> _Rolled | None:
    """The part of the roll-up that answers what is wanted; None where nothing is rolled up by this key."""
    key = _key(connection, by.name)
    if key is None:
        return None
    (seq,) = connection.execute("SELECT seq FROM rolled_up").fetchone()
    first = -(-(wanted.since or 0) // WEEK)
    end = None if wanted.until is None else wanted.until // WEEK
    apart = {week for (week,) in connection.execute("SELECT week FROM weeks_to_roll")}
    whole = (week for week in _weeks(connection, wanted) if first <= week and (end is None or week < end))
    return _Rolled(key, tuple(week for week in whole if week not in apart), seq)


def _key(connection: sqlite3.Connection, name: str) -> int | None:
    """The number of a key, 0 for one that no call has; None where the store does not keep it by value."""
    if version(connection) < VERSION_WITH_ASKERS:
        return None
    row = connection.execute("SELECT id, left_out FROM asker_keys WHERE name = ?", (name,)).fetchone()
    number, left_out = row or (0, False)
    return None if left_out else int(number)


def is_rolled_up(connection: sqlite3.Connection, name: str, value: str) -> bool:
    """Whether a key is known to have a value, found by index."""
    key = _key(connection, name)
    found = "SELECT 1 FROM asker_values WHERE key = ? AND value = ?"
    return bool(key) and connection.execute(found, (key, value)).fetchone() is not None


def _weeks(connection: sqlite3.Connection, wanted: Filter) -> list[int]:
    """The weeks of a range of time that have calls."""
    found = weeks(connection, since=(wanted.since or 0) // WEEK)
    return [week for week in found if wanted.until is None or week * WEEK < wanted.until]


def choose(connection: sqlite3.Connection, wanted: Filter) -> str:
    """Put the calls that a filter by who asked leaves into a table of this connection; returns its name.

    Its columns are ``cost`` (NULL where unknown), the sums that each call adds, and where in the store it is.
    """
    table = f"chosen_{next(_number)}"
    with _one_view(connection):
        parts = list(_choices(connection, wanted))
        connection.execute(
            f"CREATE TEMP TABLE {table} AS " + " UNION ALL ".join(part for part, _ in parts),
            [value for _, values in parts for value in values],
        )
    return f"temp.{table}"


def _choices(connection: sqlite3.Connection, wanted: Filter) -> Iterator[tuple[str, list[object]]]:
    """Queries for the calls wanted, with their parameters: those that are rolled up by value, and the others."""
    asked = {name: values for name, values in wanted.values.items() if dimension(name).side == "origin"}
    numbers = {name: _key(connection, dimension(name).name) for name, values in asked.items() if all(values)}
    keys = {name: number for name, number in numbers.items() if number is not None}
    if not keys:
        condition, parameters = wanted.where()
        yield f"SELECT {_CHOSEN} FROM calls WHERE {condition}", parameters
        return
    rest = {name: values for name, values in wanted.values.items() if name not in keys}
    condition, parameters = Filter(wanted.since, wanted.until, rest).where()
    of_value = "SELECT origin FROM origins_by_value JOIN asker_values ON id = origins_by_value.value"
    by_value = [f"{of_value} WHERE key = ? AND asker_values.value IN {_LISTED}" for _ in keys]
    given = [value for name, key in keys.items() for value in (key, json.dumps(wanted.values[name]))]
    rolled_up = (
        f"SELECT {_CHOSEN} FROM calls INDEXED BY calls_by_origin WHERE origin IN ({' INTERSECT '.join(by_value)})"
        f" AND seq <= (SELECT seq FROM rolled_up) AND {condition}"
    )
    yield rolled_up, [*given, *parameters]
    having = [f"{dimension(name).sql} IN {_LISTED}" for name in keys]
    given = [value for name in keys for value in (*dimension(name).parameters, json.dumps(wanted.values[name]))]
    newer = (
        f"SELECT {_CHOSEN} FROM calls NOT INDEXED JOIN origins ON origins.id = origin"
        f" WHERE seq > (SELECT seq FROM rolled_up) AND {' AND '.join(having)} AND {condition}"
    )
    yield newer, [*given, *parameters]
