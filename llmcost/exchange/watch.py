"""For how long llmcost holds a call up: a watch on one request in many, so that the others pay nothing for it.

What counts is the time that the program waits for code of ours: recognition, attribution, budgets (a ledger's network
too), reading, pricing, observers, and whatever the application's span processors do when the span ends. Not in it are
the network, threads in the background, and the few microseconds of the hook itself.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Final

from llmcost.exchange.guard import guard

EVERY: Final = 101
"""One request in so many is watched. A prime, so that a program whose requests take turns hides no kind of them."""
FIRST: Final = 10
"""The first that is watched: those before it read tables and prices from the disk, once a process."""

_TELL: Final = guard("call.overhead")


class Watch:
    """Adds up the time that passes in code of ours during one call. It runs from the start.

    Args:
        tell: is told the seconds when the call has ended.
        clock: monotonic seconds.
    """

    __slots__ = ("_clock", "_since", "_tell", "taken")

    def __init__(self, tell: Callable[[float], None], clock: Callable[[], float] = time.perf_counter) -> None:
        self._tell = tell
        self._clock = clock
        self.taken = 0.0
        self._since: float | None = clock()

    def run(self) -> None:
        """Our code begins."""
        if self._since is None:
            self._since = self._clock()

    def rest(self) -> None:
        """The program, or the network, goes on."""
        if self._since is not None:
            self.taken += self._clock() - self._since
            self._since = None

    def end(self) -> None:
        """The call has ended."""
        self.rest()
        with _TELL:
            self._tell(self.taken)


Turn = Callable[[], Callable[[], Watch] | None]
"""What the flow asks at each request: what makes a watch, for one in :data:`EVERY`; None for the others."""


def turns(tell: Callable[[float], None]) -> Turn:
    """Whose turn it is, over and over; ``tell`` is told the seconds of each call that was watched."""

    def watch() -> Watch:
        return Watch(tell)

    plain = [None] * EVERY
    return itertools.cycle([*plain[: FIRST - 1], watch, *plain[FIRST:]]).__next__
