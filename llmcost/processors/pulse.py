"""A timer for what must not burden a call: a daemon thread of the process, started by the first call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from llmcost.exchange.guard import guard
from llmcost.store.forks import renew_in_child

EVERY_S: Final = 15.0


class Pulse:
    """Does its work every so often while the process lives. A fault in one part keeps none of the others.

    Args:
        work: what to do, by the name that a fault is counted under.
        every_s: seconds between two rounds.
    """

    def __init__(self, work: Sequence[tuple[str, Callable[[], object]]], every_s: float = EVERY_S) -> None:
        self._work = tuple((guard(name), part) for name, part in work)
        self._every_s = every_s
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """The parent's thread does not exist in a child."""
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the thread where there is none. Costs next to nothing afterwards."""
        if self._thread is None and not self._stop.is_set():
            thread = self._thread = threading.Thread(target=self._run, name="llmcost-pulse", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending
                self._stop.set()

    def stop(self) -> None:
        """End the thread after what it is at; does not wait for it."""
        self._stop.set()

    def beat(self) -> None:
        """One round, in the thread of the caller."""
        for guarded, part in self._work:
            with guarded:
                part()

    def _run(self) -> None:
        stop = self._stop
        while not stop.wait(self._every_s):
            self.beat()
