"""Containers among values."""

from __future__ import annotations

from collections.abc import Iterable

from llmcost_analyzer.facts import Expr
from llmcost_analyzer.values import Items, Value, Values


def elements_of(values: Iterable[Value]) -> Values:
    """What iterating over the containers among the values gives."""
    out: set[Value] = set()
    for value in values:
        if isinstance(value, Items):
            out |= value.values
    return frozenset(out)


def by_key(items: Items, key: Expr | None) -> Values:
    """The values under a key; all of them where the key is not known."""
    if key is not None and key[0] == "text" and items.keys:
        return frozenset(value for name, value in items.keys if name == key[1])
    return items.values


def merged(values: Iterable[Value]) -> Values:
    """Containers of one name count as one, so that what is added later is found."""
    values = set(values)
    items = [v for v in values if isinstance(v, Items)]
    if len(items) < 2:
        return frozenset(values)
    keys = tuple(sorted({pair for item in items for pair in item.keys}, key=repr))
    together = Items(frozenset().union(*(item.values for item in items)), keys)
    return frozenset({v for v in values if not isinstance(v, Items)} | {together})
