"""What could not be booked yet: kept in memory and, where there is a folder, in a file that survives the process."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from llmcost.control.ledger.contract import Counter, Entry, Option, Reservation

_fcntl: ModuleType | None
try:
    import fcntl as _fcntl
except ImportError:  # a machine without file locks: files of ended processes stay until `llmcost doctor` names them
    _fcntl = None

_SUFFIX: Final = ".pending"


class Pending(NamedTuple):
    """A settlement or a release (``actual`` is None) that waits."""

    reservation: Reservation
    actual: int | None
    entries: tuple[Entry, ...] = ()
    calls: int = 1


class Journal:
    """A queue of what waits. Each process has its own file; the file of a process that died is taken over.

    A disk that is full or read-only leaves the queue in memory.

    Args:
        folder: where the files are; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._waiting: deque[Pending] = deque()
        self._path = self._folder / f"{uuid.uuid4().hex}{_SUFFIX}" if self._folder is not None else None
        self._file: int | None = None

    def after_in_child(self) -> None:
        """What waits is the parent's to book; the child starts with nothing, in a file of its own."""
        self._lock = threading.Lock()
        if self._file is not None:
            # Closing the child's copy keeps the parent's lock only where the file is not opened again: it never is.
            os.close(self._file)
        self._begin()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, pending: Pending) -> None:
        """Put something off."""
        with self._lock:
            self._waiting.append(pending)
            if self._path is not None:
                self._write(json.dumps(_row(pending)) + "\n")

    def first(self) -> Pending | None:
        """What has waited longest."""
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def done(self, pending: Pending) -> None:
        """Something was booked."""
        with self._lock:
            if self._waiting and self._waiting[0] is pending:
                self._waiting.popleft()
            self._forget_file()

    def call_off(self, call_id: str) -> None:
        """The call is held again: a release of it that waits is not to be made."""
        with self._lock:
            left = _without_release(self._waiting, call_id)
            if len(left) < len(self._waiting):
                self._waiting = deque(left)
                if self._path is not None:
                    self._write(json.dumps([call_id]) + "\n")
                self._forget_file()

    def _forget_file(self) -> None:
        """The file goes when nothing waits any more."""
        if not self._waiting and self._file is not None and self._path is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def adopt(self) -> int:
        """Take over the files of processes that are gone; returns how much they left."""
        found = 0
        if self._folder is None or _fcntl is None:
            return found
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path != self._path:
                found += self._take(path)
        return found

    def _take(self, path: Path) -> int:
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            return 0
        try:
            if not _locked(file):
                return 0
            left = _read(path)
            for pending in left:
                self.add(pending)
            path.unlink(missing_ok=True)
            return len(left)
        finally:
            os.close(file)

    def _write(self, line: str) -> None:
        try:
            if self._file is None and self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                _locked(self._file)
            if self._file is not None:
                os.write(self._file, line.encode())
        except OSError:
            # The disk cannot be written, which may well be why something waits.
            return


def left_in(folder: Path) -> int:
    """How many settlements wait in the files of a folder, those of running processes included."""
    return sum(len(_read(path)) for path in folder.glob(f"*{_SUFFIX}"))


def _locked(file: int) -> bool:
    if _fcntl is None:
        return False
    try:
        _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(path: Path) -> list[Pending]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found: list[Pending] = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            # The last line of a process that was killed while it wrote.
            continue
        if len(row) == 1:  # called off
            found = _without_release(found, row[0])
        else:
            found.append(_pending(row))
    return found


def _without_release(waiting: Iterable[Pending], call_id: str) -> list[Pending]:
    return [each for each in waiting if each.actual is not None or each.reservation.call_id != call_id]


def _row(pending: Pending) -> list[Any]:
    reservation = pending.reservation
    counters = [[c.key, c.slot, c.first, c.until] for c in reservation.option.counters]
    return [
        reservation.call_id,
        reservation.choice,
        reservation.verified,
        counters,
        list(reservation.option.amounts),
        pending.actual,
        [list(entry) for entry in pending.entries],
        pending.calls,
    ]


def _pending(row: Sequence[Any]) -> Pending:
    call_id, choice, verified, counters, amounts, actual, entries, calls = row
    option = Option(tuple(Counter(*counter) for counter in counters), tuple(amounts))
    reservation = Reservation(call_id, choice, option, (), verified)
    return Pending(reservation, actual, tuple(Entry(*entry) for entry in entries), calls)
