"""Questions to the store. All sums are whole numbers: calls, tokens and nano-dollars."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from llmcost.store.askers import askers, choose, is_rolled_up
from llmcost.store.booking import SUM_COLUMNS, WEEK
from llmcost.store.dimensions import Dimension, dimension
from llmcost.store.filters import QUARTER_SECONDS, Filter
from llmcost.store.weeks import weeks

_SUMS: Final = ", ".join(f"sum({name})" for name in SUM_COLUMNS)


class Sums(NamedTuple):
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

    @property
    def due(self) -> int | None:
        """Nano-dollars that are known to be due; None where the cost of some calls is unknown and of none known."""
        return self.nano if self.priced or not self.unpriced else None

    @property
    def tokens(self) -> tuple[int | None, int | None, int | None]:
        """Input, output and cached tokens; None where no call stated any, since no answered call uses none."""
        known = self.input or self.output or not self.calls
        return (self.input, self.output, self.cached) if known else (None, None, None)


class Group(NamedTuple):
    """The calls with one value of a dimension; an empty ``key`` means that none was given."""

    key: str
    sums: Sums


def added(parts: Iterable[Sequence[int]]) -> Sums:
    """Sums of sums."""
    rows = list(parts)
    return Sums(*map(sum, zip(*rows, strict=True))) if rows else Sums()


class Spend:
    """The money of the calls that a filter leaves. What is read once is kept: a report asks for several views of it.

    Args:
        connection: a reading connection.
        wanted: which calls.
        zone: the zone in which days and hours begin.

    Attributes:
        asked: the filter as it was given.
        wanted: the same without what filters nothing.
    """

    def __init__(self, connection: sqlite3.Connection, wanted: Filter, zone: tzinfo) -> None:
        self.connection = connection
        self.asked = wanted
        self.wanted = replace(wanted, values=dict(self._telling(wanted)))
        self.zone = zone

    @cached_property
    def chosen(self) -> str | None:
        """The table of the calls wanted, where a filter asks for who asked; see :func:`.choose`."""
        return choose(self.connection, self.wanted) if self.wanted.needs_origin() else None

    @cached_property
    def source(self) -> tuple[str, list[object]]:
        """Where sums are read: a table with its condition, and the parameters."""
        if self.chosen is not None:
            return f"{self.chosen} WHERE 1", []
        condition, parameters = self.wanted.where()
        return f"spend_by_series WHERE {condition}", parameters

    def _telling(self, wanted: Filter) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The values without those that every call has, such as the only run's: by origin they are dear to look up."""
        for name, accepted in wanted.values.items():
            by = dimension(name)
            others = f"SELECT 1 FROM {by.table} WHERE {by.sql} NOT IN ({', '.join('?' * len(accepted))}) LIMIT 1"
            if by.side != "origin" or self.connection.execute(others, [*by.parameters, *accepted]).fetchone():
                yield name, accepted

    @cached_property
    def _series(self) -> list[tuple[int, Sums]]:
        source, parameters = self.source
        rows = self.connection.execute(f"SELECT series, {_SUMS} FROM {source} GROUP BY series", parameters)
        return [(series, Sums(*sums)) for series, *sums in rows]

    @cached_property
    def total(self) -> Sums:
        """The sums of all."""
        return added(sums for _, sums in self._series)

    def by(self, name: str) -> list[Group]:
        """Sums by a dimension of :data:`~llmcost.store.dimensions.DIMENSIONS` or a context key: the dearest first, or
        by time."""
        chosen = dimension(name)
        if chosen.side == "quarter":
            return self._by_time(chosen)
        groups = self._by_series(chosen) if chosen.side == "series" else self._by_origin(chosen)
        return sorted(groups, key=lambda group: (-group.sums.nano, group.key))

    def _by_series(self, by: Dimension) -> Iterable[Group]:
        names = dict(self.connection.execute(f"SELECT id, {by.sql} FROM series").fetchall())
        found: dict[str, list[Sums]] = {}
        for series, sums in self._series:
            found.setdefault(names[series], []).append(sums)
        return (Group(key, added(parts)) for key, parts in found.items())

    def _by_origin(self, by: Dimension) -> Iterable[Group]:
        found: dict[str, list[Sequence[int]]] = {}
        if self.chosen is not None:
            source = f"{self.chosen} JOIN origins ON origins.id = origin"
            rows = self.connection.execute(
                f"SELECT {by.sql} AS name, {_SUMS} FROM {source} GROUP BY name", by.parameters
            )
            return [Group(key, Sums(*sums)) for key, *sums in rows]
        with askers(self.connection, by, self.wanted) as asked:
            for key, sums in asked.sums():
                found.setdefault(key, []).append(sums)
        return (Group(key, added(parts)) for key, parts in found.items())

    @cached_property
    def _quarters(self) -> list[tuple[int, Sequence[int]]]:
        source, parameters = self.source
        rows = self.connection.execute(
            f"SELECT quarter, {_SUMS} FROM {source} GROUP BY quarter ORDER BY quarter", parameters
        )
        return [(quarter, sums) for quarter, *sums in rows]

    def quarters(self) -> Iterable[int]:
        """The quarters of an hour with calls, in order."""
        return (quarter for quarter, _ in self._quarters)

    def by_quarter(self) -> list[tuple[int, int | None]]:
        """Nano-dollars known to be due by quarter of an hour, in order."""
        return [(quarter, Sums(*sums).due) for quarter, sums in self._quarters]

    def _by_time(self, by: Dimension) -> list[Group]:
        name_of = clock_key(by, self.zone)
        found: dict[str, list[Sequence[int]]] = {}
        for quarter, sums in self._quarters:
            found.setdefault(name_of(quarter), []).append(sums)
        return [Group(key, added(parts)) for key, parts in found.items()]

    def marks(self) -> dict[str, int]:
        """What was counted but is no call, by kind, in the range of time; other filters do not apply to it."""
        condition, parameters = Filter(self.wanted.since, self.wanted.until).where()
        rows = self.connection.execute(
            f"SELECT kind, sum(count) FROM marks WHERE {condition} GROUP BY kind", parameters
        )
        return dict(rows.fetchall())

    def first_and_last(self) -> tuple[float, float] | None:
        """When the first and the last call began, in Unix seconds; None where there is none."""
        if self.chosen is not None:
            began = self.connection.execute(f"SELECT min(started_ns), max(started_ns) FROM {self.chosen}").fetchone()
            return None if began[0] is None else (began[0] / 1e9, began[1] / 1e9)
        source, parameters = self.source
        first, last = self.connection.execute(f"SELECT min(quarter), max(quarter) FROM {source}", parameters).fetchone()
        return None if first is None else (self._began("min", first), self._began("max", last))

    def _began(self, which: str, quarter: int) -> float:
        """The first or last beginning of a call in a quarter of an hour."""
        condition, parameters = self.wanted.where()
        found = self.connection.execute(
            f"SELECT {which}(started_ns) FROM calls WHERE week = ? AND quarter = ? AND {condition}",
            [quarter // WEEK, quarter, *parameters],
        )
        began = found.fetchone()[0]
        return quarter * QUARTER_SECONDS if began is None else began / 1e9  # pruned just now

    def from_map(self) -> Mapping[str, int]:
        """Calls by label, where the semantic map gave it to them."""
        rows = self.connection.execute("SELECT id, label FROM series WHERE label_source IN ('map', 'inherited')")
        names, found = dict(rows.fetchall()), Counter[str]()
        for series, sums in self._series:
            if series in names:
                found[names[series]] += sums.calls
        return found


def clock_key(by: Dimension, zone: tzinfo) -> Callable[[int], str]:
    """How a quarter of an hour is named in a zone: by its local day, or its local hour with the offset."""
    pattern = "%Y-%m-%d" if by.name == "day" else "%Y-%m-%d %H:00%z"
    return lru_cache(None)(lambda quarter: datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone).strftime(pattern))


def last_runs(connection: sqlite3.Connection, limit: int) -> list[str]:
    """The runs of the newest calls that have one, the newest first."""
    found: dict[str, None] = {}
    for week in reversed(weeks(connection)):
        rows = connection.execute(
            "SELECT run_id FROM calls INDEXED BY calls_by_cost JOIN origins ON origins.id = origin"
            " WHERE week = ? AND run_id != '' GROUP BY run_id ORDER BY max(started_ns) DESC, max(seq) DESC LIMIT ?",
            (week, limit),
        )
        found |= dict.fromkeys(run for (run,) in rows)
        if len(found) >= limit:
            break
    return list(found)[:limit]


def has_run(connection: sqlite3.Connection, run: str) -> bool:
    """Whether any call belongs to a run."""
    return is_rolled_up(connection, "run", run) or (
        connection.execute("SELECT 1 FROM origins WHERE run_id = ? LIMIT 1", (run,)).fetchone() is not None
    )


def has_context_key(connection: sqlite3.Connection, key: str) -> bool:
    """Whether any call carries a context key."""
    found = connection.execute("SELECT 1 FROM origins, json_each(nullif(context, '')) WHERE key = ? LIMIT 1", (key,))
    return found.fetchone() is not None


def context_keys(connection: sqlite3.Connection) -> list[str]:
    """The context keys that any call carries."""
    rows = connection.execute(
        "SELECT DISTINCT key FROM (SELECT DISTINCT context FROM origins WHERE context != ''), json_each(context)"
        " ORDER BY key"
    )
    return [key for (key,) in rows]
