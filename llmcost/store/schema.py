"""The tables of ``calls.db`` and how they grow.

Migrations are append-only: a published one never changes, and the number applied is kept in ``user_version``.

``calls`` holds what reports count, one narrow row a call; ``records`` the whole line. What repeats is kept once:
``series`` is where the money goes (label, model, function ...), ``origins`` who asked for it (user, run, context ...).
``spend_by_series`` has the sums per quarter of an hour, kept up to date by folding, so that a report over a million
calls reads a hundred thousand rows. A quarter of an hour divides every time zone's day.

What is known of who asked stands once more by key (``asker_keys``: user, run, any key of a context) and value
(``asker_values``; an empty value has no row): ``origins_by_value`` finds the origins of a value, ``spend_by_asker`` has
its sums and single costs per week and series. The calls up to the number in ``rolled_up`` are in there, apart from
those of the weeks in ``weeks_to_roll``, out of which a prune deleted: see ``rollup.py``. The week stands first where
the order is otherwise random, so that new rows go to the same few pages.

Money is integer nano-dollars; NULL is unknown. Empty text means "not given".
"""

from __future__ import annotations

import sqlite3
from typing import Final

from llmcost.errors import StoreError
from llmcost.store.transactions import transaction

_SUMS: Final = """
    calls INTEGER NOT NULL, priced INTEGER NOT NULL, unpriced INTEGER NOT NULL, nano INTEGER NOT NULL,
    input INTEGER NOT NULL, output INTEGER NOT NULL, cached INTEGER NOT NULL, errors INTEGER NOT NULL"""

_FIRST: Final = f"""
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL, label_source TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
    operation TEXT NOT NULL, call_type TEXT NOT NULL, status TEXT NOT NULL, function TEXT NOT NULL, file TEXT NOT NULL,
    UNIQUE (label, label_source, model, provider, operation, call_type, status, function, file));
CREATE TABLE origins (
    id INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL, session_id TEXT NOT NULL, run_id TEXT NOT NULL, agent TEXT NOT NULL, workflow TEXT NOT NULL,
    conversation_id TEXT NOT NULL, section_path TEXT NOT NULL, context TEXT NOT NULL,
    UNIQUE (user_id, session_id, run_id, agent, workflow, conversation_id, section_path, context));
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    started_ns INTEGER NOT NULL, week INTEGER NOT NULL, quarter INTEGER NOT NULL,
    series INTEGER NOT NULL, origin INTEGER NOT NULL,
    nano INTEGER, unpriced INTEGER NOT NULL, input INTEGER, output INTEGER, cached INTEGER, error INTEGER NOT NULL);
CREATE INDEX calls_by_cost ON calls (week, series, nano, quarter, origin);
CREATE TABLE records (seq INTEGER PRIMARY KEY, line TEXT NOT NULL);
CREATE TABLE spend_by_series (series INTEGER, quarter INTEGER, {_SUMS},
    PRIMARY KEY (series, quarter)) WITHOUT ROWID;
CREATE TABLE spend_by_origin (week INTEGER, origin INTEGER, quarter INTEGER, series INTEGER, {_SUMS},
    PRIMARY KEY (week, origin, quarter, series)) WITHOUT ROWID;
CREATE TABLE spooled (file TEXT PRIMARY KEY, folded INTEGER NOT NULL) WITHOUT ROWID;
"""

_MARKS: Final = """
CREATE TABLE marks (quarter INTEGER, kind TEXT, subject TEXT, count INTEGER NOT NULL,
    PRIMARY KEY (quarter, kind, subject)) WITHOUT ROWID;
"""

_ROLLUPS: Final = f"""
CREATE TABLE rollups (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL);
CREATE TABLE spend_by_value (rollup INTEGER, value TEXT, week INTEGER, {_SUMS}, costs TEXT,
    PRIMARY KEY (rollup, value, week)) WITHOUT ROWID;
"""

_ASKERS: Final = f"""
DROP TABLE rollups;
DROP TABLE spend_by_value;
DROP TABLE spend_by_origin;
CREATE TABLE asker_keys (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    number INTEGER NOT NULL DEFAULT 0, left_out INTEGER NOT NULL DEFAULT 0);
CREATE TABLE asker_values (id INTEGER PRIMARY KEY, key INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (key, value));
CREATE TABLE origins_by_value (value INTEGER, origin INTEGER, PRIMARY KEY (value, origin)) WITHOUT ROWID;
CREATE TABLE spend_by_asker (key INTEGER, week INTEGER, value INTEGER, series INTEGER, {_SUMS}, costs TEXT,
    PRIMARY KEY (key, week, value, series)) WITHOUT ROWID;
CREATE TABLE rolled_up (seq INTEGER NOT NULL);
INSERT INTO rolled_up VALUES (0);
CREATE TABLE weeks_to_roll (week INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE INDEX calls_by_origin ON calls (origin);
CREATE INDEX calls_by_quarter ON calls (quarter, series, nano)"""
VERSION_WITH_ASKERS: Final = 4

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST, _MARKS, _ROLLUPS, _ASKERS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest version; an empty file becomes a store.

    Raises:
        StoreError: a newer llmcost made the file.
    """
    if version(connection) == len(MIGRATIONS):
        return
    if version(connection) == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        _apply(connection)


def _apply(connection: sqlite3.Connection) -> None:
    applied = version(connection)
    if applied > len(MIGRATIONS):
        raise StoreError(f"the store has version {applied}, this llmcost knows {len(MIGRATIONS)}: upgrade llmcost")
    for script in MIGRATIONS[applied:]:
        for statement in script.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def version(connection: sqlite3.Connection) -> int:
    """The number of migrations that were applied."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
