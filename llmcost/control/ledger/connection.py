"""The SQLite file under a ledger: one connection a process, short waits, and a name for each thing that goes wrong."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from llmcost.control.ledger.contract import LedgerFailure, Reason

WAIT_S: Final = 0.020
"""How long a call waits for other writers, at most."""

_PAUSE_S: Final = (0.000_1, 0.000_8)
_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=0",
    "wal_autocheckpoint=4096",
    "cache_size=-16000",
)
_SCHEMA: Final = resources.files("llmcost.control.ledger").joinpath("schema.sql")

_REASONS: Final[Mapping[int, Reason]] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
    sqlite3.SQLITE_IOERR: "unreachable",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}


class SqliteFile:
    """Transactions on one file. Not even a fork breaks it: the child opens its own connection.

    Args:
        path: the file; made, with its folder, at the first use.
        wait_s: how long to wait for other threads and processes before the failure ``busy``.
        schema: makes the tables of a new file, among them ``meta`` with the ``epoch`` of the file.
    """

    def __init__(self, path: Path, *, wait_s: float = WAIT_S, schema: Traversable = _SCHEMA) -> None:
        self.path = path
        self._wait_s = wait_s
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._life: str | None = None
        self._left_behind: list[sqlite3.Connection] = []

    def after_in_child(self) -> None:
        """Let go of the parent's connection; closing it here could drop the parent's locks."""
        self._lock = threading.Lock()
        if self._connection is not None:
            self._left_behind.append(self._connection)
            self._connection = None

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._lock:
            self._drop()

    @contextmanager
    def writing(self, *, accept: bool = False) -> Iterator[sqlite3.Cursor]:
        """A transaction that holds the write lock from its start; rolled back if the block raises.

        Args:
            accept: go on also with a file that is another one than before.

        Raises:
            LedgerFailure: with the reason.
        """
        deadline = time.monotonic() + self._wait_s
        if not self._lock.acquire(timeout=self._wait_s):
            raise LedgerFailure("busy", f"{self.path.name}: other threads")
        try:
            if accept:
                self._drop()  # so that the file that is opened now is the one that is known
                self._life = None
            cursor = self._begun("BEGIN IMMEDIATE", deadline)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                self._roll_back(cursor)
                raise
        except sqlite3.Error as exc:
            raise self._failure(exc) from exc
        finally:
            self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """A consistent view without the write lock.

        Raises:
            LedgerFailure: with the reason.
        """
        deadline = time.monotonic() + self._wait_s
        if not self._lock.acquire(timeout=self._wait_s):
            raise LedgerFailure("busy", f"{self.path.name}: other threads")
        try:
            cursor = self._begun("BEGIN", deadline)
            try:
                yield cursor
            finally:
                self._roll_back(cursor)
        except sqlite3.Error as exc:
            raise self._failure(exc) from exc
        finally:
            self._lock.release()

    def _begun(self, begin: str, deadline: float) -> sqlite3.Cursor:
        while True:
            try:
                cursor = self._open().cursor()
                return cursor.execute(begin)
            except sqlite3.OperationalError as exc:
                if _reason(exc) != "busy" or time.monotonic() >= deadline:
                    raise
            # SQLite's own waiting starts at 1 ms and doubles, which starves writers of short transactions.
            time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - spreads the writers, guards nothing

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        if cursor.connection.in_transaction:
            cursor.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._same_file():
            return self._connection
        self._drop()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise LedgerFailure("unreachable", f"{self.path.name}: {exc.strerror}") from exc
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            life = _prepare(connection, self._schema)
            stat = os.stat(self.path)  # noqa: PTH116 - the same call as in the hot path
        except (sqlite3.Error, OSError):
            connection.close()
            raise
        if self._life not in (None, life):
            connection.close()
            raise LedgerFailure("emptied", f"{self.path.name} is another file than before")
        self._life = life
        self._inode = (stat.st_dev, stat.st_ino)
        self._connection = connection
        return connection

    def accept(self) -> None:
        """Go on with a file that is another one than before."""
        self._life = None

    def _same_file(self) -> bool:
        """A file that was removed or replaced under us would take bookings that nobody else sees."""
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - in the path of each call; Path.stat costs twice as much
        except OSError:
            return False
        return (stat.st_dev, stat.st_ino) == self._inode

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _failure(self, exc: sqlite3.Error) -> LedgerFailure:
        reason = _reason(exc)
        if reason not in ("busy", "full"):
            self._drop()
        return LedgerFailure(reason, f"{self.path.name}: {exc}")


def _reason(exc: sqlite3.Error) -> Reason:
    # The low byte is the primary code; the rest tells details of the same thing.
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_IOERR)
    return _REASONS.get(code & 0xFF, "unreachable")


def _prepare(connection: sqlite3.Connection, schema: Traversable) -> str:
    """Set the connection up, make the tables where they are missing; returns the name of the file's life."""
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").fetchall()
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    if known is None:
        connection.executescript(f"BEGIN IMMEDIATE; {schema.read_text(encoding='utf-8')} COMMIT;")
    return str(connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])
