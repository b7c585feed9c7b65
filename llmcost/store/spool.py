"""The spool: one append-only file a process, one line a call, each written by a single ``write``.

What was written survives ``kill -9``, since it is with the operating system. A line cut by a full disk is ended and
written again; whoever folds the file skips the cut one.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from llmcost.calls import Call
from llmcost.store import locks
from llmcost.store.forks import renew_in_child
from llmcost.store.paths import HIDDEN, SUFFIX, StoreFolder
from llmcost.store.record import Mark, encode, encode_mark

log: Final = logging.getLogger("llmcost")

WAITING_LIMIT: Final = 20_000
"""Lines kept in memory while the disk cannot be written; at some 600 bytes each, 12 MB."""
RETRY_SECONDS: Final = 1.0
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """Where a process leaves its calls. Safe in threads, in forked children and in signal handlers.

    Args:
        folder: the store.
        clock: monotonic seconds, for the time between two tries on a disk that refuses.
        limit: lines kept in memory while the disk refuses; the oldest are dropped, and counted, beyond it.

    Attributes:
        dropped: lines that were dropped and are not told in the file yet.
        dropped_ever: all lines that were dropped, those of the parents of this process too.
    """

    def __init__(
        self, folder: StoreFolder, *, clock: Callable[[], float] = time.monotonic, limit: int = WAITING_LIMIT
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._waiting: deque[bytes] = deque(maxlen=limit)
        self.dropped = 0
        self.dropped_ever = 0
        self._warned = False
        self._start()
        renew_in_child(self)

    def _start(self) -> None:
        self._lock = threading.RLock()  # re-entrant: a signal handler may make a call while one is being written
        self._descriptor: int | None = None
        self._torn = False
        self._retry_at = 0.0
        self.written = 0

    @property
    def waiting(self) -> int:
        """Calls that wait in memory for a disk that refuses."""
        return len(self._waiting)

    def append(self, call: Call) -> None:
        """Write one call. Never raises for the disk's sake: what cannot be written waits."""
        self._append(encode(call))

    def mark(self, mark: Mark) -> None:
        """Write one mark, like a call."""
        self._append(encode_mark(mark))

    def _append(self, line: bytes) -> None:
        with self._lock:
            if self._waiting or self._descriptor is None:
                self._queue(line)
                if self._clock() >= self._retry_at:
                    self._drain()
                return
            try:
                self._write(self._descriptor, line)
            except OSError as exc:
                self._queue(line)
                self._failed(exc)

    def flush(self) -> bool:
        """Try to write what waits; whether nothing waits any more."""
        with self._lock:
            self._drain()
            return not self._waiting

    def rotate(self) -> None:
        """End the present file; the next call opens a new one. The old one can then be folded and deleted."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None
            self._torn = False
            self.written = 0

    close = rotate

    def check(self) -> None:
        """Begin a new file where somebody deleted the present one."""
        with self._lock:
            if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
                self.rotate()

    def _queue(self, line: bytes) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
            self.dropped_ever += 1
        self._waiting.append(line)

    def _drain(self) -> None:
        try:
            if not self._waiting:
                return
            if self._descriptor is None:
                self._descriptor = self._open()
            while self._waiting:
                self._write(self._descriptor, self._waiting[0])
                self._waiting.popleft()
            self._tell_dropped(self._descriptor)
        except OSError as exc:
            self._failed(exc)

    def _write(self, descriptor: int, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        count = os.write(descriptor, data)
        self._torn = count != len(data)
        self.written += count
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _tell_dropped(self, descriptor: int) -> None:
        if self.dropped:
            self._write(descriptor, encode_mark(Mark("dropped", "", self.dropped, time.time_ns())))
            self.dropped = 0

    def _failed(self, exc: OSError) -> None:
        self._retry_at = self._clock() + RETRY_SECONDS
        if exc.errno not in _FULL:
            self._descriptor = None  # not closed: where it is no longer ours, its number may be another file's by now
        if not self._warned:
            self._warned = True
            log.warning(
                "llmcost: the store %s cannot be written (%s); calls wait in memory, the program is not affected",
                self.folder.root,
                exc.strerror or exc,
            )

    def _open(self) -> int:
        """A new file under a name of its own. It gets that name only once it is locked, so nobody deletes it early."""
        self.folder.create()
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        hidden = self.folder.spool / f"{HIDDEN}{name}"
        descriptor = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            locks.hold(descriptor)
            hidden.rename(self.folder.spool / f"{name}{SUFFIX}")
        except OSError:
            os.close(descriptor)
            hidden.unlink(missing_ok=True)
            raise
        return descriptor

    def after_fork(self) -> None:
        """In a child: leave the parent's file and what waits in it to the parent, and begin anew."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._waiting.clear()
        self.dropped = 0
        self._start()
