"""Folding while the program runs: a daemon thread of the process, never the thread of a call."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from typing import Final

from llmcost.errors import StoreError
from llmcost.store.fold import fold
from llmcost.store.forks import renew_in_child
from llmcost.store.spool import Spool

log: Final = logging.getLogger("llmcost")

FOLD_BYTES: Final = 1 << 20
"""Fold when so much was written since the last time: some two thousand calls."""
FOLD_SECONDS: Final = 30.0
"""Fold at least so often while calls come in."""
ROTATE_BYTES: Final = 8 << 20
"""Begin a new spool file after so much, so that the old one can be deleted."""


class BackgroundFolding:
    """Folds a spool by size and age. The thread starts with the first call, and again in a forked child."""

    def __init__(self, spool: Spool, *, every_bytes: int = FOLD_BYTES, every_seconds: float = FOLD_SECONDS) -> None:
        self._spool = spool
        self._every_bytes = every_bytes
        self._every_seconds = every_seconds
        self._warned = False
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """The parent's thread does not exist in a child."""
        self._thread: threading.Thread | None = None
        self._due = threading.Event()
        self._folded_to = 0
        self._stopped = False

    def nudge(self) -> None:
        """Say that a call was written. Costs well under a microsecond unless folding is due."""
        if self._thread is None:
            self._start()
        elif self._spool.written - self._folded_to >= self._every_bytes and not self._due.is_set():
            self._due.set()

    def stop(self) -> None:
        """End the thread after what it is at; does not wait for it."""
        self._stopped = True
        self._due.set()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="llmcost-fold", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is ending; whoever reads the store folds
            self._stopped = True

    def _run(self) -> None:
        while not self._stopped:
            self._due.wait(self._every_seconds)
            self._due.clear()
            if not self._stopped and (self._spool.written != self._folded_to or self._spool.waiting):
                self.fold_once()

    def fold_once(self) -> None:
        """Write what waits, fold, and begin a new file where the present one is long. One warning if that fails."""
        written = self._spool.written
        try:
            self._spool.check()
            self._spool.flush()
            fold(self._spool.folder, busy_seconds=1.0, own=os.getpid())
        except (OSError, sqlite3.Error, StoreError) as exc:
            if not self._warned:
                self._warned = True
                log.warning("llmcost: the spool could not be folded into %s (%s)", self._spool.folder.database, exc)
        self._folded_to = written
        if written >= ROTATE_BYTES:
            self._spool.rotate()
            self._folded_to = 0
