"""The past of the store as rows of a feed: what foresight learns from where it starts anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from llmcost.calls import COUNTED_ELSEWHERE, SLOT_S
from llmcost.control.feed import FeedRow, Sums, who_of
from llmcost.store.booking import QUARTER_NS
from llmcost.store.dimensions import dimension

_DIMENSIONS: Final = {"call_type": "type"}
"""Scopes of a budget whose name in the store is another."""
_SLOT_NS: Final = SLOT_S * 10**9


def history(
    connection: sqlite3.Connection, since: float, until: float, further: Sequence[str] = ()
) -> Iterator[FeedRow]:
    """Calls that began in a range of Unix time, added up as the feed adds them up, in the order of time.

    Args:
        connection: a reading connection.
        since: Unix time in seconds, rounded down to a quarter of an hour.
        until: likewise, exactly.
        further: further scopes, as :class:`~llmcost.processors.sums.CallSums` takes them.
    """
    columns = [dimension(_DIMENSIONS.get(scope, scope)) for scope in further]
    names = "".join(f", {column.sql} AS further_{place}" for place, column in enumerate(columns))
    groups = "".join(f", further_{place}" for place in range(len(columns)))
    given = [value for column in columns for value in column.parameters]
    found = connection.execute(
        f"SELECT started_ns / {_SLOT_NS} AS slot, label, model, user_id{names}, count(*), count(nano),"
        " coalesce(sum(nano), 0), coalesce(sum(input), 0) + coalesce(sum(output), 0), sum(error)"
        " FROM calls JOIN series ON series.id = calls.series JOIN origins ON origins.id = calls.origin"
        f" WHERE quarter >= ? AND started_ns < ? AND status != '{COUNTED_ELSEWHERE.status}'"
        f" GROUP BY slot, label, model, user_id{groups} ORDER BY slot",
        [*given, int(since * 1e9) // QUARTER_NS, int(until * 1e9)],
    )
    for slot, label, model, user, *rest in found:
        values = {"label": label, "model": model, "user": user, **dict(zip(further, rest, strict=False))}
        sums = Sums._make([*rest[len(further) :], 0])
        yield FeedRow(slot * SLOT_S, who_of({scope: value for scope, value in values.items() if value}), sums)
