"""The 95th percentile of the cost of a call, exact, without sorting the calls.

An index has the calls of each series and week in order of cost. Merging a group's series and weeks from the dear end
reads only the dearest twentieth of the group. Groups by origin (user, run ...) are read in one pass and sorted.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from itertools import islice

from llmcost.store.booking import WEEK
from llmcost.store.dimensions import Dimension, dimension
from llmcost.store.filters import Filter
from llmcost.store.query import Group, clock_key

Stretch = tuple[int, int, int, int]
"""Calls that stand together in the index: week, series, and the first and last quarter of an hour wanted of them."""


def p95(
    connection: sqlite3.Connection, by: str, groups: Iterable[Group], wanted: Filter, zone: tzinfo
) -> dict[str, int]:
    """Nano-dollars at or below which 95 of 100 calls of a group cost (nearest rank), for groups with known costs."""
    chosen = dimension(by)
    priced = {group.key: group.sums.priced for group in groups if group.sums.priced}
    if chosen.side == "origin":
        return _by_origin(connection, chosen, priced, wanted)
    stretches = _stretches(connection, chosen, priced, wanted, zone)
    return {key: _ranked(connection, stretches[key], wanted, count) for key, count in priced.items()}


def p95_of_all(connection: sqlite3.Connection, priced: int, wanted: Filter) -> int:
    """The same over all calls wanted, of which the cost of ``priced`` is known (at least one)."""
    condition, parameters = wanted.where()
    found = connection.execute(f"{_spend(wanted)} WHERE {condition} GROUP BY series, quarter / {WEEK}", parameters)
    return _ranked(connection, [(first // WEEK, series, first, last) for series, first, last in found], wanted, priced)


def _spend(wanted: Filter) -> str:
    table = "spend_by_origin" if wanted.needs_origin() else "spend_by_series"
    return f"SELECT series, min(quarter), max(quarter) FROM {table}"


def _from_top(priced: int) -> int:
    """How many of ``priced`` costs are greater than the one wanted, in order of cost."""
    return priced - -(-95 * priced // 100)


def _ranked(connection: sqlite3.Connection, stretches: list[Stretch], wanted: Filter, priced: int) -> int:
    costs = heapq.merge(*(_costs(connection, stretch, wanted) for stretch in stretches), reverse=True)
    return next(islice(costs, _from_top(priced), None))


def _costs(connection: sqlite3.Connection, stretch: Stretch, wanted: Filter) -> Iterator[int]:
    condition, parameters = Filter(values=wanted.values).where()
    for (nano,) in connection.execute(
        "SELECT nano FROM calls WHERE week = ? AND series = ? AND nano IS NOT NULL AND quarter BETWEEN ? AND ?"
        f" AND {condition} ORDER BY nano DESC",
        [*stretch, *parameters],
    ):
        yield nano


def _stretches(
    connection: sqlite3.Connection, by: Dimension, keys: Mapping[str, int], wanted: Filter, zone: tzinfo
) -> dict[str, list[Stretch]]:
    """Where in the index the calls of each group stand."""
    condition, parameters = wanted.where()
    grain = "quarter" if by.side == "quarter" else f"quarter / {WEEK}"
    rows = connection.execute(f"{_spend(wanted)} WHERE {condition} GROUP BY series, {grain}", parameters)
    if by.side == "quarter":
        name_of = clock_key(by, zone)
        return _joined((name_of(first), series, first, last) for series, first, last in rows)
    names = dict(connection.execute(f"SELECT id, {by.sql} FROM series").fetchall())
    found: dict[str, list[Stretch]] = {}
    for series, first, last in rows:
        if names[series] in keys:
            found.setdefault(names[series], []).append((first // WEEK, series, first, last))
    return found


def _joined(quarters: Iterable[tuple[str, int, int, int]]) -> dict[str, list[Stretch]]:
    """Quarters of one group, series and week as one stretch. They come in order, and a group is a run of time."""
    bounds: dict[tuple[str, int, int], tuple[int, int]] = {}
    for key, series, first, last in quarters:
        place = (key, first // WEEK, series)
        low, high = bounds.get(place, (first, last))
        bounds[place] = (min(low, first), max(high, last))
    found: dict[str, list[Stretch]] = {}
    for (key, week, series), (low, high) in bounds.items():
        found.setdefault(key, []).append((week, series, low, high))
    return found


def _by_origin(
    connection: sqlite3.Connection, by: Dimension, priced: Mapping[str, int], wanted: Filter
) -> dict[str, int]:
    condition, parameters = wanted.where()
    names = {
        member: str(key)
        for member, key in connection.execute(f"SELECT id, {by.sql} FROM origins", by.parameters)
        if str(key) in priced
    }
    members = "[" + ",".join(map(str, names)) + "]"
    costs: dict[str, list[int]] = {key: [] for key in priced}
    for member, nano in connection.execute(
        "SELECT origin, nano FROM calls INDEXED BY calls_by_cost WHERE nano IS NOT NULL"
        f" AND origin IN (SELECT value FROM json_each(?)) AND {condition}",
        [members, *parameters],
    ):
        costs[names[member]].append(nano)
    return {key: sorted(values)[-1 - _from_top(len(values))] for key, values in costs.items()}
