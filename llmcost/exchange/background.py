"""Calls that go on at the provider after their response."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from llmcost.calls import Call
from llmcost.lean import dataclass
from llmcost.providers import ResponseFacts


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call whose response was a promise.

    ``resume`` makes the final record from what a poll answered, or None while the work still runs; ``show`` hands a
    record to the observers.
    """

    call: Call
    resume: Callable[[ResponseFacts], Call | None]
    show: Callable[[Call], None]


class Background:
    """Each such call is counted once, when its poll answers.

    The table is bounded; what is pushed out of it, or never polled, is shown without its usage.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()
        self._limit = limit

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def wait(self, waiting: Waiting) -> None:
        """Keep a call until its poll."""
        if waiting.call.response_id is not None:
            self._waiting[waiting.call.response_id] = waiting
        if len(self._waiting) > self._limit:
            _, oldest = self._waiting.popitem(last=False)
            oldest.show(oldest.call)

    def polled(self, facts: ResponseFacts) -> None:
        """A poll has answered: end the call that it asked for, unless that still runs."""
        waiting = self._waiting.get(facts.id or "")
        call = waiting.resume(facts) if waiting is not None else None
        if waiting is not None and call is not None and self._waiting.pop(facts.id or "", None) is not None:
            waiting.show(call)  # of two polls at once, the one that took the entry

    def forget(self) -> None:
        """In a forked child: what waits is the parent's."""
        self._waiting.clear()

    def give_up(self) -> None:
        """Show what was never polled."""
        while self._waiting:
            _, waiting = self._waiting.popitem(last=False)
            waiting.show(waiting.call)
