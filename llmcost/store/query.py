"""Questions to the store. All sums are whole numbers: calls, tokens and nano-dollars."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime, tzinfo
from typing import Final

from llmcost.store.booking import SUM_COLUMNS
from llmcost.store.dimensions import Dimension, dimension
from llmcost.store.filters import Filter

_SUMS: Final = ", ".join(f"sum({name})" for name in SUM_COLUMNS)
_NAMED_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in SUM_COLUMNS)
_ORDER: Final = {"series": "series", "origin": "week, origin"}
"""The order in which a table of sums is kept, so that grouping needs no sort."""
_QUARTER_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Sums:
    """What some calls add up to. ``nano`` is nano-dollars over the ``priced`` calls, those whose cost is known; of the
    ``unpriced`` ones it is not, and of the rest (refused, failed, counted elsewhere) nothing is due. ``cached`` is part
    of ``input``."""

    calls: int = 0
    priced: int = 0
    unpriced: int = 0
    nano: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    errors: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Group:
    """The calls with one value of a dimension; an empty ``key`` means that none was given."""

    key: str
    sums: Sums


def breakdown(connection: sqlite3.Connection, by: str, wanted: Filter, zone: tzinfo) -> list[Group]:
    """Sums by a dimension: the dearest first, or by time.

    Args:
        connection: a reading connection.
        by: a name of :data:`~llmcost.store.dimensions.DIMENSIONS` or a context key.
        wanted: which calls.
        zone: the zone in which days and hours begin.
    """
    chosen = dimension(by)
    if chosen.side == "quarter":
        return _by_time(connection, chosen, wanted, zone)
    condition, parameters = wanted.where()
    rows = connection.execute(
        f"SELECT {chosen.sql} AS key, {_SUMS} FROM (SELECT {chosen.side} AS member, {_NAMED_SUMS}"
        f" FROM {_table(chosen, wanted)} WHERE {condition} GROUP BY {_ORDER[chosen.side]})"
        f" JOIN {chosen.table} ON id = member GROUP BY key ORDER BY sum(nano) DESC, key",
        [*chosen.parameters, *parameters],
    )
    return [Group(str(key), Sums(*sums)) for key, *sums in rows]


def totals(connection: sqlite3.Connection, wanted: Filter) -> Sums:
    """The sums of all calls wanted."""
    table = "spend_by_origin" if wanted.needs_origin() else "spend_by_series"
    condition, parameters = wanted.where()
    row = connection.execute(f"SELECT {_SUMS} FROM {table} WHERE {condition}", parameters).fetchone()
    return Sums(*(value or 0 for value in row))


def _by_time(connection: sqlite3.Connection, by: Dimension, wanted: Filter, zone: tzinfo) -> list[Group]:
    condition, parameters = wanted.where()
    rows = connection.execute(
        f"SELECT quarter, {_SUMS} FROM {_table(by, wanted)} WHERE {condition} GROUP BY quarter ORDER BY quarter",
        parameters,
    )
    name_of = clock_key(by, zone)
    groups: dict[str, Sums] = {}
    for quarter, *sums in rows:
        key = name_of(quarter)
        groups[key] = groups.get(key, Sums()) + Sums(*sums)
    return [Group(key, sums) for key, sums in groups.items()]


def clock_key(by: Dimension, zone: tzinfo) -> Callable[[int], str]:
    """How a quarter of an hour is named in a zone: by its local day, or its local hour with the offset."""
    pattern = "%Y-%m-%d" if by.name == "day" else "%Y-%m-%d %H:00%z"
    return lambda quarter: datetime.fromtimestamp(quarter * _QUARTER_SECONDS, zone).strftime(pattern)


def _table(by: Dimension, wanted: Filter) -> str:
    return "spend_by_origin" if by.side == "origin" or wanted.needs_origin() else "spend_by_series"


def marks(connection: sqlite3.Connection, wanted: Filter) -> dict[str, int]:
    """What was counted but is no call, by kind, in the range of time; other filters do not apply to it."""
    condition, parameters = Filter(wanted.since, wanted.until).where()
    return dict(
        connection.execute(f"SELECT kind, sum(count) FROM marks WHERE {condition} GROUP BY kind", parameters).fetchall()
    )


def first_and_last(connection: sqlite3.Connection, wanted: Filter) -> tuple[int, int] | None:
    """The quarters of an hour of the first and the last call wanted; None where there is none."""
    table = "spend_by_origin" if wanted.needs_origin() else "spend_by_series"
    condition, parameters = wanted.where()
    first, last = connection.execute(
        f"SELECT min(quarter), max(quarter) FROM {table} WHERE {condition}", parameters
    ).fetchone()
    return None if first is None else (first, last)


def last_run(connection: sqlite3.Connection) -> str | None:
    """The run of the newest call that has one."""
    row = connection.execute(
        "SELECT run_id FROM calls JOIN origins ON origins.id = origin WHERE run_id != '' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return row[0] if row else None


def context_keys(connection: sqlite3.Connection) -> list[str]:
    """The context keys that any call carries."""
    rows = connection.execute(
        "SELECT DISTINCT key FROM (SELECT DISTINCT context FROM origins WHERE context != ''), json_each(context)"
        " ORDER BY key"
    )
    return [key for (key,) in rows]
