"""The weeks that have rows, found by index: a table of a million rows has some dozens."""

from __future__ import annotations

import sqlite3
from typing import Final

CALLS: Final = "calls WHERE TRUE"


def weeks(connection: sqlite3.Connection, rows: str = CALLS, since: int = 0) -> list[int]:
    """The weeks of some rows, in order.

    Args:
        connection: of the store.
        rows: a table and a condition, of which an index begins with what the condition fixes, and then the week.
        since: the first week that is wanted.
    """
    later = f"SELECT min(week) FROM {rows} AND week > found.week"
    found = connection.execute(
        f"WITH RECURSIVE found (week) AS (SELECT ? UNION ALL SELECT ({later}) FROM found WHERE week IS NOT NULL)"
        " SELECT week FROM found WHERE week >= ?",
        (since - 1, since),
    )
    return [week for (week,) in found]
