"""Booking what calls cost, without making anybody wait for a network; and the quiet minutes of the budgets."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from llmcost.control import Controller
from llmcost.control.ledger.forks import rebuild_in_child
from llmcost.exchange.guard import guard

TIDY_EVERY_S: Final = 60.0
FLUSH_S: Final = 0.25
"""How long a refused call waits for what this process has yet to book, before its refusal counts."""

_WORK: Final = guard("budgets.settle")
_TIDY: Final = guard("budgets.tidy")
Work = Callable[[], object]


class Settler:
    """Runs settlements: at once where the ledger is on this machine, in a thread of its own where it is not.

    The thread also tidies the ledger once a minute. It is a daemon: what it has not booked at the end of the program
    is booked by :meth:`close`.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._network = controller.ledger.network
        self._closed = False
        self._begin()
        rebuild_in_child(self)

    def _begin(self) -> None:
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def after_in_child(self) -> None:
        """The thread, and what waits for it, are the parent's."""
        self._begin()

    @property
    def waiting(self) -> int:
        """Settlements that are not booked yet."""
        return self._waiting

    def start(self) -> None:
        """Start the thread, if it does not run yet."""
        if self._thread is None and not self._closed:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="llmcost-budgets", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the interpreter ends: nothing is put off any more
                        self._closed = True
                    self._thread = thread

    @property
    def at_once(self) -> bool:
        """Whether work is done by who gives it, so that nobody else is to be told of it."""
        return not self._network or self._closed

    def do(self, work: Work) -> None:
        """Book something; where that waits for a network, later, in the order in which it came."""
        if self.at_once:
            work()
            return
        with self._idle:
            self._waiting += 1
        self._queue.put(work)

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Wait until all is booked that waits now; False where that took too long."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._waiting, timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Book what waits and end the thread; later work is done at once."""
        self._closed = True
        if self._thread is not None:
            self.flush(timeout_s)
            self._queue.put(None)
            self._thread.join(timeout_s)
        self._drain()

    def _run(self) -> None:
        mine = self._queue
        while True:
            try:
                work = mine.get(timeout=TIDY_EVERY_S)
            except queue.Empty:
                with _TIDY:
                    self._controller.tidy()
                continue
            if work is None:
                return
            self._work(work)

    def _drain(self) -> None:
        while not self._queue.empty():
            try:
                work = self._queue.get_nowait()
            except queue.Empty:  # the thread took it
                return
            if work is not None:
                self._work(work)

    def _work(self, work: Work) -> None:
        with _WORK:
            work()
        with self._idle:
            self._waiting -= 1
            self._idle.notify_all()
