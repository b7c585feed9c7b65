"""Single calls: the newest, or all of them, and one call as a flat row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

from llmcost.calls import Call
from llmcost.store.filters import Filter
from llmcost.store.record import decode


def newest(connection: sqlite3.Connection, wanted: Filter, limit: int | None = None) -> Iterator[Call]:
    """The calls wanted, the one that began last first, whenever it was recorded: an imported log is old."""
    condition, parameters = wanted.where()
    # The index has the weeks in order, so that only the last ones are sorted.
    rows = connection.execute(
        "SELECT line FROM records JOIN (SELECT seq, started_ns FROM calls INDEXED BY calls_by_cost"
        f" WHERE {condition} ORDER BY week DESC, started_ns DESC, seq DESC LIMIT ?) USING (seq)"
        " ORDER BY started_ns DESC, seq DESC",
        [*parameters, -1 if limit is None else limit],
    )
    return (decode(line) for (line,) in rows)


def all_calls(connection: sqlite3.Connection, wanted: Filter, limit: int | None = None) -> Iterator[Call]:
    """The calls wanted, in the order in which they were recorded."""
    condition, parameters = wanted.where()
    rows = connection.execute(
        f"SELECT line FROM calls JOIN records USING (seq) WHERE {condition} ORDER BY seq LIMIT ?",
        [*parameters, -1 if limit is None else limit],
    )
    return (decode(line) for (line,) in rows)


def by_start(connection: sqlite3.Connection, wanted: Filter) -> Iterator[Call]:
    """The calls wanted, in the order in which they began."""
    condition, parameters = wanted.where()
    found = connection.execute(f"SELECT seq FROM calls WHERE {condition} ORDER BY started_ns, id", parameters)
    # Line by line, so that sorting moves numbers and not a million lines.
    for (seq,) in found.fetchall():
        yield decode(connection.execute("SELECT line FROM records WHERE seq = ?", (seq,)).fetchone()[0])


def one(connection: sqlite3.Connection, call_id: str) -> Call | None:
    """A call by its id, or by the beginning or the end of its id (as lists show it) where only one has that; None where
    there is none."""
    query = "SELECT line FROM calls JOIN records USING (seq) WHERE"
    for condition, parameters in (
        ("id = ?", (call_id,)),
        ("id >= ? AND id < ? LIMIT 2", (call_id, call_id + "\U0010ffff")),
        ("substr(id, -length(?)) = ? LIMIT 2", (call_id, call_id)),
    ):
        found = connection.execute(f"{query} {condition}", parameters).fetchall()
        if found:
            return decode(found[0][0]) if len(found) == 1 else None
    return None


COLUMNS: Final = (
    "started", "id", "label", "model", "provider", "operation", "type", "cost_usd", "status", "input_tokens",
    "output_tokens", "cached_tokens", "duration_s", "outcome", "error", "user", "session", "run", "function", "file",
    "line",
)  # fmt: skip
"""What a table shows of a call."""


def flat(call: Call, zone: tzinfo) -> tuple[Any, ...]:
    """The values of a call's :data:`COLUMNS`. ``cost_usd`` is None where it is not known; ``duration_s`` is seconds."""
    about, site = call.attribution, call.attribution.site
    return (
        datetime.fromtimestamp(call.started_ns / 1e9, zone).isoformat(timespec="milliseconds"),
        call.id,
        call.label,
        call.request_model or call.response_model,
        call.provider,
        call.operation,
        call.call_type,
        call.cost.total,
        call.cost.status,
        call.usage.input_tokens,
        call.usage.output_tokens,
        call.usage.cache_read_tokens,
        call.duration,
        call.outcome,
        call.error_type,
        about.user_id,
        about.session_id,
        call.run_id,
        site.function if site else None,
        site.file if site else None,
        site.line if site else None,
    )
