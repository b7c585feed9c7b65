"""Keeping up to date what is known by key and value of who asked (a user, a run, a key of a context).

Nearly every call of a large store has an origin of its own, so that sums by origin save nothing. Folding therefore adds
calls, some thousand at a time, to the sums and costs by value, week and series, and notes in the same transaction up to
which call that goes (``rolled_up``): a kill leaves both or neither. What is newer is read from the calls, and so is a
week out of which a prune deletes, until it has been rolled up anew. Deleting names the weeks in ``weeks_to_roll``
first, with -1 instead of the number up to which they are rolled up again. See ``askers.py`` for the reading.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from llmcost.store.booking import ORIGIN_COLUMNS, SUM_COLUMNS
from llmcost.store.database import reading, writing
from llmcost.store.dimensions import DIMENSIONS, SAME
from llmcost.store.paths import StoreFolder
from llmcost.store.schema import VERSION_WITH_ASKERS, version
from llmcost.store.transactions import transaction
from llmcost.store.weeks import CALLS, weeks

STEP: Final = 5_000
"""Calls rolled up by one transaction: others who write to the database wait for some fifty milliseconds. Fewer calls
have fewer values in common, and take longer each."""
_STEP_AGAIN: Final = 500
"""The same for a week that was pruned: reports read it from its calls meanwhile, so that there is no hurry."""
_MANY_VALUES: Final = 20_000
_CALLS_A_VALUE: Final = 4
"""A key of a context with many values and fewer calls to each is a number of the call, and no way to group calls."""
_BUSY_SECONDS: Final = 1.0

SUMS_OF_CALLS: Final = (
    "count(*), count(nano), coalesce(sum(unpriced), 0), coalesce(sum(nano), 0), coalesce(sum(input), 0),"
    " coalesce(sum(output), 0), coalesce(sum(cached), 0), coalesce(sum(error), 0)"
)
"""What calls add up to: :data:`~llmcost.store.booking.SUM_COLUMNS`."""
_ADDED: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUM_COLUMNS)
_NO_CONTEXT_KEYS: Final = ", ".join(f"'{name}'" for name in (*DIMENSIONS, *SAME))
_OF_CONTEXT: Final = (
    "SELECT origins.id, pair.key, CAST(pair.value AS TEXT) FROM {origins} AS origins,"
    f" json_each(nullif(context, '')) AS pair WHERE pair.key NOT IN ({_NO_CONTEXT_KEYS})"
    " AND CAST(pair.value AS TEXT) != ''"
)
_NAMED: Final = " UNION ALL ".join(
    (
        *(
            f"SELECT id, '{dimension.name}' AS name, {dimension.sql} AS value FROM {{origins}} AS origins"
            f" WHERE {dimension.sql} != ''"
            for dimension in DIMENSIONS.values()
            if dimension.side == "origin"
        ),
        _OF_CONTEXT,
    )
)
"""Every key and value of the origins in a table."""
_BATCH: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS batch (origin INTEGER, key INTEGER, value INTEGER,"
    " PRIMARY KEY (origin, key)) WITHOUT ROWID"
)
_SCRATCH: Final = (
    f"CREATE TEMP TABLE IF NOT EXISTS asking (id INTEGER PRIMARY KEY, {', '.join(ORIGIN_COLUMNS)})",
    "CREATE TEMP TABLE IF NOT EXISTS named (origin INTEGER, name TEXT, value TEXT)",
    _BATCH,
    "DELETE FROM temp.asking",
    "DELETE FROM temp.named",
    "DELETE FROM temp.batch",
)


def catch_up(folder: StoreFolder) -> None:
    """Bring all up to date where more than a step is missing, as in a store of an older llmcost.

    Raises:
        StoreError: there is no store, or it cannot be read.
        OSError: the folder cannot be written.
        sqlite3.Error: the database is busy, full, damaged or read-only.
    """
    with reading(folder) as connection:
        if version(connection) == VERSION_WITH_ASKERS and not is_due(connection):
            return
    with writing(folder, busy_seconds=_BUSY_SECONDS) as connection:
        while is_due(connection):
            step(connection)


def is_due(connection: sqlite3.Connection) -> bool:
    """Whether there is enough to roll up."""
    newest, done = connection.execute("SELECT (SELECT max(seq) FROM calls), seq FROM rolled_up").fetchone()
    return (newest or 0) - done >= STEP or _emptied(connection) is not None


def step(connection: sqlite3.Connection) -> None:
    """Roll up some calls in a transaction: those of a week that was pruned, else the next ones."""
    with transaction(connection):
        if not roll_up_again(connection):
            _roll_up_next(connection)


def _emptied(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """A week to be rolled up again, and up to which call it is."""
    found = connection.execute("SELECT week, seq FROM weeks_to_roll WHERE seq >= 0 ORDER BY week LIMIT 1").fetchone()
    return None if found is None else (int(found[0]), int(found[1]))


def _roll_up_next(connection: sqlite3.Connection) -> None:
    (done,) = connection.execute("SELECT seq FROM rolled_up").fetchone()
    (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM calls").fetchone()
    last = min(done + STEP, newest)
    _name_origins(connection, "seq > ? AND seq <= ?", (done, last))
    _add_calls(connection, "seq > ? AND seq <= ? AND week NOT IN (SELECT week FROM weeks_to_roll)", (done, last))
    connection.execute("UPDATE rolled_up SET seq = ?", (last,))


def roll_up_again(connection: sqlite3.Connection) -> bool:
    """Roll up some calls of a week that was pruned, in the caller's transaction; False where there is none."""
    emptied = _emptied(connection)
    if emptied is None:
        return False
    week, done = emptied
    found = connection.execute(
        "SELECT seq FROM calls INDEXED BY calls_by_cost WHERE week = ? AND seq > ?"
        " AND seq <= (SELECT seq FROM rolled_up) ORDER BY seq LIMIT ?",
        (week, done, _STEP_AGAIN),
    ).fetchall()
    if not found:
        connection.execute("DELETE FROM weeks_to_roll WHERE week = ?", (week,))
        return True
    chosen = (found[0][0], found[-1][0], week)
    _name_origins(connection, "seq BETWEEN ? AND ? AND week = ?", chosen)
    _add_calls(connection, "seq BETWEEN ? AND ? AND week = ?", chosen)
    connection.execute("UPDATE weeks_to_roll SET seq = ? WHERE week = ?", (found[-1][0], week))
    return True


def _name_origins(connection: sqlite3.Connection, condition: str, parameters: tuple[int, ...]) -> None:
    """Put the keys and values of some calls into the table ``batch``; new ones get their numbers."""
    for statement in _SCRATCH:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO temp.asking SELECT * FROM origins WHERE id IN"
        f" (SELECT origin FROM calls NOT INDEXED WHERE {condition})",
        parameters,
    )
    connection.execute("INSERT INTO temp.named " + _NAMED.format(origins="temp.asking"))
    connection.execute("INSERT OR IGNORE INTO asker_keys (name) SELECT DISTINCT name FROM temp.named")
    (known,) = connection.execute("SELECT coalesce(max(id), 0) FROM asker_values").fetchone()
    connection.execute(
        "INSERT OR IGNORE INTO asker_values (key, value) SELECT DISTINCT asker_keys.id, value"
        " FROM temp.named JOIN asker_keys USING (name) WHERE NOT left_out"
    )
    connection.execute(
        "INSERT INTO temp.batch SELECT origin, asker_values.key, asker_values.id FROM temp.named"
        " JOIN asker_keys USING (name) JOIN asker_values"
        " ON asker_values.key = asker_keys.id AND asker_values.value = named.value WHERE NOT left_out"
    )
    connection.execute(
        "INSERT OR IGNORE INTO origins_by_value SELECT value, origin FROM temp.batch ORDER BY value, origin"
    )
    _leave_out(connection, known)


def _leave_out(connection: sqlite3.Connection, known: int) -> None:
    """Count the new values of each key, those with numbers above ``known``, and go without keys that have too many."""
    new = connection.execute("SELECT key, count(*) FROM asker_values WHERE id > ? GROUP BY key", (known,)).fetchall()
    connection.executemany("UPDATE asker_keys SET number = number + ? WHERE id = ?", [(n, key) for key, n in new])
    connection.execute(
        "UPDATE asker_keys SET left_out = 1 WHERE number > ? AND number * ? > (SELECT seq FROM rolled_up)"
        f" AND name NOT IN ({_NO_CONTEXT_KEYS})",
        (_MANY_VALUES, _CALLS_A_VALUE),
    )


def _add_calls(connection: sqlite3.Connection, condition: str, parameters: tuple[int, ...]) -> None:
    connection.execute(
        f"INSERT INTO spend_by_asker SELECT key, week, value, series, {SUMS_OF_CALLS}, group_concat(nano)"
        f" FROM calls NOT INDEXED CROSS JOIN temp.batch USING (origin) WHERE {condition} GROUP BY 1, 2, 3, 4"
        f" ON CONFLICT (key, week, value, series) DO UPDATE SET {_ADDED},"
        " costs = coalesce(costs || ',' || excluded.costs, costs, excluded.costs)",
        parameters,
    )


# --- deleting ---------------------------------------------------------------------------------------------------


def distrust(connection: sqlite3.Connection, before: int) -> None:
    """Let no report trust what is rolled up of the weeks with calls before a week, which are about to be deleted."""
    keys = connection.execute("SELECT id FROM asker_keys").fetchall()
    sums = (f"spend_by_asker WHERE key = {key}" for (key,) in keys)
    found = {week for rows in (CALLS, *sums) for week in weeks(connection, rows) if week < before}
    connection.executemany("INSERT OR REPLACE INTO weeks_to_roll VALUES (?, -1)", [(week,) for week in found])


def trusts(connection: sqlite3.Connection, among: set[int]) -> bool:
    """Whether a report may still read what is rolled up of one of these weeks."""
    distrusted = {week for (week,) in connection.execute("SELECT week FROM weeks_to_roll WHERE seq < 0")}
    return not among <= distrusted


def calls_were_deleted(connection: sqlite3.Connection) -> None:
    """Say so in the transaction that deletes them: the numbers of the newest calls will be given again."""
    newest = "(SELECT coalesce(max(seq), 0) FROM calls)"
    connection.execute(f"UPDATE rolled_up SET seq = {newest} WHERE seq > {newest}")
    connection.execute(f"UPDATE weeks_to_roll SET seq = {newest} WHERE seq > {newest}")


def release(connection: sqlite3.Connection, before: int) -> None:
    """Have the weeks before a week rolled up again, whose sums are gone."""
    connection.execute(
        "UPDATE weeks_to_roll SET seq = 0 WHERE seq < 0 AND week < ? AND NOT EXISTS (SELECT 1 FROM spend_by_asker"
        " WHERE key IN (SELECT id FROM asker_keys) AND spend_by_asker.week = weeks_to_roll.week)",
        (before,),
    )


DISTRUSTED_ROWS: Final = (
    "DELETE FROM spend_by_asker WHERE (key, week, value, series) IN (SELECT key, week, value, series"
    " FROM spend_by_asker WHERE key IN (SELECT id FROM asker_keys) AND week IN (SELECT week FROM weeks_to_roll"
    " WHERE seq < 0) LIMIT :rows)"
)
"""Deletes some of the sums that no report trusts."""
