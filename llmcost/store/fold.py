"""Folding: spool files become rows of the database, each line exactly once.

How far a file was folded is kept in the database and committed together with its rows. So a kill at any moment leaves
either both or neither, and a file whose writer lives is simply read on from there. A file is deleted once its writer
is gone (the writer holds a shared lock) and all of it is folded. A call that comes a second time, in whatever file, is
left out by its id.
"""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmcost.store.booking import Booking
from llmcost.store.database import BUSY_SECONDS, writing
from llmcost.store.locks import abandoned
from llmcost.store.paths import HIDDEN, SUFFIX, StoreFolder
from llmcost.store.record import Mark, NewerLine, UnreadableLine, parse
from llmcost.store.rollup import is_due, step
from llmcost.store.transactions import transaction

CHUNK: Final = 1 << 18
"""Bytes folded in one transaction: some 500 calls, so that others wait for some ten milliseconds."""
_YIELD_LINES: Final = 8
"""Lines after which the interpreter is offered to the program's threads: it would be taken from us after 5 ms only."""
_STALE_SECONDS: Final = 3600


@dataclass(slots=True)
class Folded:
    """What one pass of folding did: calls and marks booked, calls seen before, lines that could not be read, and
    files of a newer llmcost, which are left alone."""

    calls: int = 0
    repeated: int = 0
    torn: int = 0
    newer: int = 0


def fold(folder: StoreFolder, *, busy_seconds: float = BUSY_SECONDS, own: int | None = None) -> Folded:
    """Fold the spool files of a store.

    Args:
        folder: the store.
        busy_seconds: how long to wait for another process that folds.
        own: a process id: leave what other living processes write to them, so that workers don't fold for each other.

    Raises:
        StoreError: a newer llmcost made the store.
        OSError: a file cannot be read or deleted.
        sqlite3.Error: the database is busy, full, damaged or read-only.
    """
    result = Folded()
    files = sorted(folder.spool.glob(f"*{SUFFIX}")) if folder.spool.is_dir() else []
    if not files:
        return result
    with writing(folder, busy_seconds=busy_seconds) as connection:
        for path in files:
            final = abandoned(path)
            if final or own is None or path.name.startswith(f"{own}-"):
                _FileFold(connection, path, result).run(final)
        _forget(connection, folder)
    return result


class _FileFold:
    """The way of one spool file into the database, chunk by chunk."""

    def __init__(self, connection: sqlite3.Connection, path: Path, result: Folded) -> None:
        self._connection = connection
        self._path = path
        self._result = result

    def run(self, final: bool) -> None:
        """Fold what is there; delete the file where nobody will write to it again (``final``)."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            while self._chunk(descriptor, final):
                if is_due(self._connection):
                    step(self._connection)
            whole = os.fstat(descriptor).st_size <= self._offset()
        except NewerLine:
            self._result.newer += 1
            return
        finally:
            os.close(descriptor)
        if final and whole:
            self._path.unlink(missing_ok=True)

    def _offset(self) -> int:
        row = self._connection.execute("SELECT folded FROM spooled WHERE file = ?", (self._path.name,)).fetchone()
        return row[0] if row else 0

    def _chunk(self, descriptor: int, final: bool) -> bool:
        """Fold one chunk in one transaction; False where nothing was left."""
        with transaction(self._connection):
            offset = self._offset()
            size = self._book(_whole_lines(descriptor, offset, final))
            if size:
                self._connection.execute(
                    "INSERT INTO spooled VALUES (?, ?) ON CONFLICT (file) DO UPDATE SET folded = excluded.folded",
                    (self._path.name, offset + size),
                )
        return size > 0

    def _book(self, data: bytes) -> int:
        booking = Booking(self._connection)
        torn = 0
        for number, line in enumerate(data.split(b"\n")):
            if not line:
                continue
            if number % _YIELD_LINES == 0:
                time.sleep(0)
            try:
                entry = parse(line)
                if isinstance(entry, Mark):
                    booking.mark(entry)
                else:
                    booking.add(entry, line)
            except UnreadableLine:
                torn += 1
        if torn:
            booking.mark(Mark("torn", "", torn, self._path.stat().st_mtime_ns))
        new, repeated = booking.write()
        self._result.calls += new
        self._result.repeated += repeated
        self._result.torn += torn
        return len(data)


def _whole_lines(descriptor: int, offset: int, final: bool) -> bytes:
    """The next lines from ``offset`` on. A last line without its end is still being written, unless ``final``."""
    size = CHUNK
    while True:
        data = os.pread(descriptor, size, offset)
        end = data.rfind(b"\n") + 1
        if end:
            return data[:end]
        if len(data) < size:
            return data if final else b""
        size *= 2


def _forget(connection: sqlite3.Connection, folder: StoreFolder) -> None:
    """Drop the notes on files that are gone (their names never come again), and files that never got their name."""
    for path in folder.spool.glob(f"{HIDDEN}*"):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)
    for (name,) in connection.execute("SELECT file FROM spooled").fetchall():
        if not (folder.spool / name).exists():
            connection.execute("DELETE FROM spooled WHERE file = ?", (name,))
