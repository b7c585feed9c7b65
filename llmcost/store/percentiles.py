"""The 95th percentile of the cost of a call, exact, without sorting the calls.

An index has the calls of each series and week in order of cost. Merging a group's series and weeks from the dear end
reads only the dearest twentieth of the group. Small groups by origin (users, sessions) are read together in one pass,
or from a roll-up.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from llmcost.store.booking import WEEK
from llmcost.store.dimensions import Dimension, dimension
from llmcost.store.filters import Filter
from llmcost.store.query import Group, Spend, clock_key
from llmcost.store.rollup import rolled

_MANY: Final = 20_000
_LARGE: Final = 0.02
"""Share of all calls from which a group by origin is merged like the others: its calls are not far apart then."""


class Stretch(NamedTuple):
    """Calls that stand together in the index, and the first and last quarter of an hour wanted of them."""

    week: int
    series: int
    first: int
    last: int


def p95(spend: Spend, by: str, groups: Iterable[Group]) -> dict[str, int]:
    """Nano-dollars at or below which 95 of 100 calls of a group cost (nearest rank), for groups with known costs."""
    chosen = dimension(by)
    priced = {group.key: group.sums.priced for group in groups if group.sums.priced}
    with rolled(spend.connection, chosen, spend.wanted) as rollup:
        if rollup is not None:
            return {key: _rank(costs) for key, costs in rollup.costs(priced).items()}
    if chosen.side == "origin":
        return _by_origin(spend, chosen, priced)
    if _leaves_many(spend) or _are_short(spend, chosen, priced):
        return {key: _rank(costs) for key, costs in _in_one_pass(spend, chosen).items()}
    stretches = _by_time(spend, chosen) if chosen.side == "quarter" else _by_series(spend, chosen)
    return {key: _ranked(spend, stretches[key], count) for key, count in priced.items()}


def p95_of_all(spend: Spend) -> int | None:
    """The same over all calls; None where no cost is known."""
    if _leaves_many(spend):
        return _rank([cost for costs in _in_one_pass(spend, dimension("label")).values() for cost in costs])
    return _ranked(spend, _stretches(spend), spend.total.priced) if spend.total.priced else None


def _from_top(priced: int) -> int:
    """How many of ``priced`` costs are greater than the one wanted, in order of cost."""
    return priced - -(-95 * priced // 100)


def _rank(costs: list[int]) -> int:
    return sorted(costs)[-1 - _from_top(len(costs))]


def _leaves_many(spend: Spend) -> bool:
    """Whether so many calls pass a filter by origin that asking of each stretch, which of its calls do, is slow."""
    return spend.wanted.needs_origin() and spend.total.priced > _MANY


def _are_short(spend: Spend, by: Dimension, groups: Mapping[str, int]) -> bool:
    """Whether groups by time are so short that going through the dearest twentieth of its week for each is slower."""
    return by.side == "quarter" and len(groups) > 20 * len({quarter // WEEK for quarter in spend.quarters()})


def _in_one_pass(spend: Spend, by: Dimension) -> dict[str, list[int]]:
    """The known costs of each group."""
    condition, parameters = spend.wanted.where()
    if by.side == "quarter":
        name_of: Callable[[int], str] = clock_key(by, spend.zone)
    else:
        name_of = dict(spend.connection.execute(f"SELECT id, {by.sql} FROM series").fetchall()).__getitem__
    found: dict[str, list[int]] = {}
    for group, costs in spend.connection.execute(
        f"SELECT {by.side}, group_concat(nano) FROM calls INDEXED BY calls_by_cost"
        f" WHERE nano IS NOT NULL AND {condition} GROUP BY {by.side}",
        parameters,
    ):
        found.setdefault(name_of(group), []).extend(json.loads(f"[{costs}]"))
    return found


def _ranked(spend: Spend, stretches: list[Stretch], priced: int, origins: Container[int] | None = None) -> int:
    costs = heapq.merge(*(_costs(spend, stretch, origins) for stretch in stretches), reverse=True)
    return next(islice(costs, _from_top(priced), None))


def _costs(spend: Spend, stretch: Stretch, origins: Container[int] | None) -> Iterator[int]:
    condition, parameters = Filter(values=spend.wanted.values).where()
    for nano, origin in spend.connection.execute(
        "SELECT nano, origin FROM calls WHERE week = ? AND series = ? AND nano IS NOT NULL AND quarter BETWEEN ? AND ?"
        f" AND {condition} ORDER BY nano DESC",
        [*stretch, *parameters],
    ):
        if origins is None or origin in origins:
            yield nano


def _stretches(spend: Spend) -> list[Stretch]:
    """Where in the index the calls wanted stand."""
    condition, parameters = spend.wanted.where()
    rows = spend.connection.execute(
        f"SELECT quarter / {WEEK}, series, min(quarter), max(quarter) FROM {spend.table}"
        f" WHERE {condition} GROUP BY 2, 1",
        parameters,
    )
    return [Stretch(*row) for row in rows]


def _by_series(spend: Spend, by: Dimension) -> dict[str, list[Stretch]]:
    names = dict(spend.connection.execute(f"SELECT id, {by.sql} FROM series").fetchall())
    found: dict[str, list[Stretch]] = {}
    for stretch in _stretches(spend):
        found.setdefault(names[stretch.series], []).append(stretch)
    return found


def _by_time(spend: Spend, by: Dimension) -> dict[str, list[Stretch]]:
    """A group is a run of quarters of an hour, and has a part of every stretch that it overlaps."""
    bounds: dict[str, tuple[int, int]] = {}
    name_of = clock_key(by, spend.zone)
    for quarter in spend.quarters():
        bounds[name_of(quarter)] = (bounds.get(name_of(quarter), (quarter,))[0], quarter)
    stretches = _stretches(spend)
    return {
        key: [
            Stretch(week, series, max(low, first), min(high, last))
            for week, series, low, high in stretches
            if low <= last and first <= high
        ]
        for key, (first, last) in bounds.items()
    }


def _by_origin(spend: Spend, by: Dimension, priced: Mapping[str, int]) -> dict[str, int]:
    members: dict[str, set[int]] = {key: set() for key in priced}
    for member, key in spend.connection.execute(f"SELECT id, {by.sql} FROM origins", by.parameters):
        if key in members:
            members[key].add(member)
    large = {key for key, count in priced.items() if count > _LARGE * spend.total.priced}
    stretches = _stretches(spend) if large else []
    found = _collected(spend, {member: key for key, ids in members.items() if key not in large for member in ids})
    return found | {key: _ranked(spend, stretches, priced[key], members[key]) for key in large}


def _collected(spend: Spend, names: Mapping[int, str]) -> dict[str, int]:
    """The percentiles of small groups, whose origins have these names: all their calls are read and sorted."""
    if not names:
        return {}
    condition, parameters = spend.wanted.where()
    costs: dict[str, list[int]] = {}
    for member, nano in spend.connection.execute(
        "SELECT origin, nano FROM calls INDEXED BY calls_by_cost WHERE nano IS NOT NULL"
        f" AND origin IN (SELECT value FROM json_each(?)) AND {condition}",
        ["[" + ",".join(map(str, names)) + "]", *parameters],
    ):
        costs.setdefault(names[member], []).append(nano)
    return {key: _rank(values) for key, values in costs.items()}
