"""Connections to ``calls.db``."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
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
        _create(folder)
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
    uri = folder.database.resolve().as_uri()
    try:
        connection = _opened(f"{uri}?mode=ro") or _opened(f"{uri}?mode=ro&immutable=1")
    except sqlite3.Error as exc:
        raise StoreError(f"{folder.database}: {exc}") from None
    if connection is None:
        raise StoreError(f"{folder.database}: cannot be read")
    with closing(connection):
        yield connection


def _opened(uri: str) -> sqlite3.Connection | None:
    """A connection that was tried out; None where SQLite cannot make its side files, as on a read-only disk."""
    try:
        return _connect(uri, BUSY_SECONDS)
    except sqlite3.OperationalError:
        return None


def _create(folder: StoreFolder) -> None:
    """Make the database beside its place and put it there whole: several processes may begin at once, and SQLite does
    not wait for its lock while a file is brought into WAL mode. SQLite's own files inherit the mode 0600."""
    scratch = folder.root / f"new-{secrets.token_hex(8)}.db"
    os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with closing(_connect(str(scratch), BUSY_SECONDS)) as connection:
            migrate(connection)
        with suppress(FileExistsError):
            os.link(scratch, folder.database)
    finally:
        scratch.unlink()


def _connect(target: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        target, timeout=busy_seconds, isolation_level=None, uri=target.startswith("file:"), check_same_thread=True
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("SELECT name FROM sqlite_master LIMIT 1")  # the first to open the file
    except sqlite3.Error:
        connection.close()
        raise
    return connection
