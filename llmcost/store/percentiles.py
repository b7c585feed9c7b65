"""The 95th percentile of the cost of a call, exact, without sorting the calls.

An index has the calls of each series and week in order of cost. Merging a group's series and weeks from the dear end
reads only the dearest twentieth of the group. Short groups by time are read together in one pass, in the order of time;
groups by who asked, and calls by who asked, from what is rolled up.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from llmcost.store.askers import askers
from llmcost.store.booking import WEEK
from llmcost.store.dimensions import Dimension, dimension
from llmcost.store.query import Group, Spend, clock_key
from llmcost.store.schema import VERSION_WITH_ASKERS, version

_GROUPS_A_WEEK: Final = 20


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
    if spend.chosen is not None:
        return _of_chosen(spend, spend.chosen, chosen, priced)
    if chosen.side == "origin":
        return _by_asker(spend, chosen, priced)
    if chosen.side == "quarter" and _are_short(spend, priced):
        return _by_short_times(spend, chosen)
    stretches = _by_time(spend, chosen) if chosen.side == "quarter" else _by_series(spend, chosen)
    return {key: _ranked(spend, stretches[key], count) for key, count in priced.items()}


def p95_of_all(spend: Spend) -> int | None:
    """The same over all calls; None where no cost is known."""
    if not spend.total.priced:
        return None
    if spend.chosen is not None:
        rows = spend.connection.execute(f"SELECT cost FROM {spend.chosen} WHERE cost IS NOT NULL").fetchall()
        return _rank([cost for (cost,) in rows])
    return _ranked(spend, _stretches(spend), spend.total.priced)


def _from_top(priced: int) -> int:
    """How many of ``priced`` costs are greater than the one wanted, in order of cost."""
    return priced - -(-95 * priced // 100)


def _rank(costs: list[int]) -> int:
    return sorted(costs)[-1 - _from_top(len(costs))]


def _of_chosen(spend: Spend, table: str, by: Dimension, groups: Mapping[str, int]) -> dict[str, int]:
    """The percentiles of groups of the calls that a filter by who asked left."""
    by_time = by.side == "quarter"
    joined = f"{table} JOIN {by.table} ON {by.table}.id = {by.side}"
    name, source = ("quarter", table) if by_time else (by.sql, joined)
    found: dict[str, list[int]] = {}
    name_of: Callable[..., str] = clock_key(by, spend.zone) if by_time else str
    for group, costs in spend.connection.execute(
        f"SELECT {name} AS name, group_concat(cost) FROM {source} WHERE cost IS NOT NULL GROUP BY name", by.parameters
    ):
        found.setdefault(name_of(group), []).extend(json.loads(f"[{costs}]"))
    return {key: _rank(costs) for key, costs in found.items() if key in groups}


def _by_asker(spend: Spend, by: Dimension, groups: Mapping[str, int]) -> dict[str, int]:
    with askers(spend.connection, by, spend.wanted) as asked:
        if "" not in groups:
            return {key: _rank(costs) for key, costs in asked.costs(groups).items()}
        found = asked.costs(asked.named())
        tails = {key: _rank(costs) for key, costs in found.items() if key in groups}
        others = Counter(cost for costs in found.values() for cost in costs)
        nameless = _without(_dearest(spend, _stretches(spend)), others)
        tail = next(islice(nameless, _from_top(groups[""]), None), None)
    return tails if tail is None else tails | {"": tail}


def _without(costs: Iterable[int], others: Counter[int]) -> Iterator[int]:
    """Costs without those of other calls."""
    for cost in costs:
        if others[cost]:
            others[cost] -= 1
        else:
            yield cost


def _are_short(spend: Spend, groups: Mapping[str, int]) -> bool:
    """Whether groups by time are so short that going through the dearest twentieth of its week for each is slower."""
    return len(groups) > _GROUPS_A_WEEK * len({quarter // WEEK for quarter in spend.quarters()})


def _by_short_times(spend: Spend, by: Dimension) -> dict[str, int]:
    condition, parameters = spend.wanted.where()
    name_of = clock_key(by, spend.zone)
    index = " INDEXED BY calls_by_quarter" if version(spend.connection) >= VERSION_WITH_ASKERS else ""
    found: dict[str, list[int]] = {}
    for quarter, costs in spend.connection.execute(
        f"SELECT quarter, group_concat(nano) FROM calls{index} WHERE nano IS NOT NULL AND {condition} GROUP BY quarter",
        parameters,
    ):
        found.setdefault(name_of(quarter), []).extend(json.loads(f"[{costs}]"))
    return {key: _rank(costs) for key, costs in found.items()}


def _ranked(spend: Spend, stretches: list[Stretch], priced: int) -> int:
    return next(islice(_dearest(spend, stretches), _from_top(priced), None))


def _dearest(spend: Spend, stretches: list[Stretch]) -> Iterator[int]:
    """The known costs of some stretches, the dearest first."""
    return heapq.merge(*(_costs(spend, stretch) for stretch in stretches), reverse=True)


def _costs(spend: Spend, stretch: Stretch) -> Iterator[int]:
    rows = spend.connection.execute(
        "SELECT nano FROM calls INDEXED BY calls_by_cost WHERE week = ? AND series = ? AND nano IS NOT NULL"
        " AND quarter BETWEEN ? AND ? ORDER BY nano DESC",
        stretch,
    )
    return (nano for (nano,) in rows)


def _stretches(spend: Spend) -> list[Stretch]:
    """Where in the index the calls wanted stand."""
    source, parameters = spend.source
    rows = spend.connection.execute(
        f"SELECT quarter / {WEEK}, series, min(quarter), max(quarter) FROM {source} GROUP BY 2, 1", parameters
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
