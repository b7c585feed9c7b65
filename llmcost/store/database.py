"""Connections to ``calls.db``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from llmcost.errors import StoreError
from llmcost.store.paths import StoreFolder
from llmcost.store.schema import migrate

BUSY_SECONDS: Final = 5.0
_CACHE_KIB: Final = 32 * 1024


@contextmanager
def writing(folder: StoreFolder, *, busy_seconds: float = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection that may write; makes the store and brings it to the newest version.

    Raises:
        StoreError: a newer llmcost made the store.
        OSError: the folder cannot be written.
        sqlite3.Error: the database cannot be written.
    """
    folder.create()
    if not folder.database.exists():
        folder.create_database()
    with closing(_connect(str(folder.database), busy_seconds)) as connection:
        migrate(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection


@contextmanager
def reading(folder: StoreFolder) -> Iterator[sqlite3.Connection]:
    """A connection that only reads; also works on a disk that cannot be written.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    if not folder.database.exists():
        raise StoreError(f"no store at {folder.root}: record calls first, with: llmcost run -- python app.py")
    last: sqlite3.Error | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            connection = _connect(f"{folder.database.resolve().as_uri()}?{mode}", BUSY_SECONDS)
            connection.execute("SELECT seq FROM calls LIMIT 1")
        except sqlite3.Error as exc:
            last = exc
            continue
        with closing(connection):
            yield connection
        return
    raise StoreError(f"{folder.database}: {last}")


def _connect(target: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        target, timeout=busy_seconds, isolation_level=None, uri=target.startswith("file:"), check_same_thread=True
    )
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection
