"""One batch of calls on its way into the tables: rows, names and sums, written together."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from llmcost import semconv
from llmcost.calls import COUNTED_ELSEWHERE, NOT_BILLED, call_type_of, nano_dollars
from llmcost.store.record import ATTRIBUTION, CALL, COST, SITE, USAGE, Entry, Mark, UnreadableLine

QUARTER_NS: Final = 900 * 10**9
"""A quarter of an hour, the grain of the sums, in nanoseconds."""
WEEK: Final = 7 * 96
"""A week, in quarters of an hour."""
SERIES_COLUMNS: Final = (
    "label", "label_source", "model", "provider", "operation", "call_type", "status", "function", "file",
)  # fmt: skip
ORIGIN_COLUMNS: Final = (
    "user_id", "session_id", "run_id", "agent", "workflow", "conversation_id", "section_path", "context",
)  # fmt: skip
SUM_COLUMNS: Final = ("calls", "priced", "unpriced", "nano", "input", "output", "cached", "errors")

_call: Final = CALL.pick(
    "id", "started_ns", "operation", "provider", "request_model", "response_model", "error_type", "run_id"
)
_usage: Final = USAGE.pick("input_tokens", "output_tokens", "cache_read_tokens")
_cost: Final = COST.pick("status", "total")
_about: Final = ATTRIBUTION.pick(
    "label", "label_source", "call_type", "user_id", "session_id", "agent", "workflow", "conversation_id",
    "section_path", "context",
)  # fmt: skip
_site: Final = SITE.pick("function", "file")
_spelled: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
NO_MODEL: Final = "unknown"
_NOTHING_DUE: Final = frozenset({NOT_BILLED.status, COUNTED_ELSEWHERE.status})


class Booking:
    """Collects entries and writes them in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, tuple[Any, ...]] = {}
        self._repeated = 0
        self._marks: list[tuple[int, str, str, int]] = []

    def mark(self, mark: Mark) -> None:
        """Take in a mark."""
        self._marks.append((mark.at_ns // QUARTER_NS, mark.kind, _text(mark.subject), mark.count))

    def add(self, entry: Entry, line: bytes) -> None:
        """Take in a call and the line it came from.

        Raises:
            UnreadableLine: a value has no fitting type.
        """
        try:
            row = _row(entry, line)
        except (AttributeError, IndexError, TypeError, ValueError, OverflowError) as exc:
            raise UnreadableLine(f"{type(exc).__name__}: {exc}") from None
        self._repeated += row[0] in self._rows
        self._rows.setdefault(row[0], row)

    def write(self) -> tuple[int, int]:
        """Write all; returns how many calls were new and how many had been booked before."""
        for (known,) in self._connection.execute(
            "SELECT id FROM calls WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(self._rows)),)
        ):
            del self._rows[known]
            self._repeated += 1
        if self._rows:
            self._write_calls(list(self._rows.values()))
        self._write_marks()
        return len(self._rows), self._repeated

    def _write_marks(self) -> None:
        self._connection.executemany(
            "INSERT INTO marks VALUES (?, ?, ?, ?)"
            " ON CONFLICT (quarter, kind, subject) DO UPDATE SET count = count + excluded.count",
            self._marks,
        )

    def _write_calls(self, rows: list[tuple[Any, ...]]) -> None:
        series = _interned(self._connection, "series", SERIES_COLUMNS, (row[-3] for row in rows))
        origins = _interned(self._connection, "origins", ORIGIN_COLUMNS, (row[-2] for row in rows))
        first = self._connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM calls").fetchone()[0]
        full = [
            (
                seq,
                call_id,
                started,
                started // QUARTER_NS // WEEK,
                started // QUARTER_NS,
                series[where],
                origins[who],
                *sums,
            )
            for seq, (call_id, started, *sums, where, who, _) in enumerate(rows, first)
        ]
        self._connection.executemany(f"INSERT INTO calls VALUES ({_places(13)})", full)
        self._connection.executemany(
            "INSERT INTO records VALUES (?, ?)", ((seq, row[-1]) for seq, row in enumerate(rows, first))
        )
        _add_up(self._connection, full)


def _row(entry: Entry, line: bytes) -> tuple[Any, ...]:
    call_id, started, operation, provider, asked, answered, error, run = _call(entry.call)
    status, total = _cost(entry.cost)
    tokens_in, tokens_out, cached = _usage(entry.usage)
    label, source, call_type, user, session, agent, workflow, conversation, section, context = _about(entry.attribution)
    function, file = _site(entry.site) if entry.site else ("", "")
    label = label or semconv.UNTRACKED
    nano = None if total is None or not math.isfinite(total) else nano_dollars(total)
    if status == COUNTED_ELSEWHERE.status:
        nano = tokens_in = tokens_out = cached = None
    kind = call_type or call_type_of(label, operation)
    series = (label, source, asked or answered or NO_MODEL, provider, operation, kind, status, function, file)
    about = _spelled(context) if context else ""
    origin = (user, session, run, agent, workflow, conversation, section, about)
    return (
        _text(call_id), int(started), nano, int(nano is None and status not in _NOTHING_DUE),
        tokens_in, tokens_out, cached, int(error is not None), tuple(map(_text, series)),
        tuple(map(_text, origin)), line.decode("ascii"),
    )  # fmt: skip


def _text(value: Any) -> str:
    """Text that SQLite takes: None is empty, a lone surrogate becomes a question mark."""
    if value is None:
        return ""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _places(count: int) -> str:
    return ", ".join("?" * count)


def _interned(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], keys: Iterable[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    """The number of each name tuple; new ones are added."""
    wanted = dict.fromkeys(keys, 0)
    add = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({_places(len(columns))})"
    find = f"SELECT id FROM {table} WHERE {' AND '.join(f'{column} = ?' for column in columns)}"
    for key in wanted:
        added = connection.execute(add, key)
        known = None if added.rowcount else connection.execute(find, key).fetchone()[0]
        wanted[key] = known or added.lastrowid or 0
    return wanted


def _add_up(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Add the batch's sums to those by series."""
    sums: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        quarter, series, _, nano, unpriced, tokens_in, tokens_out, cached, error = row[4:]
        entry = sums.setdefault((series, quarter), [0] * len(SUM_COLUMNS))
        entry[0] += 1
        entry[1] += nano is not None
        entry[2] += unpriced
        entry[3] += nano or 0
        entry[4] += tokens_in or 0
        entry[5] += tokens_out or 0
        entry[6] += cached or 0
        entry[7] += error
    updates = ", ".join(f"{column} = {column} + excluded.{column}" for column in SUM_COLUMNS)
    connection.executemany(
        f"INSERT INTO spend_by_series VALUES ({_places(2 + len(SUM_COLUMNS))})"
        f" ON CONFLICT (series, quarter) DO UPDATE SET {updates}",
        ((*key, *entry) for key, entry in sums.items()),
    )
