"""The way of a finished call to its observers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from opentelemetry.context import Context

from llmcost.calls import Call
from llmcost.exchange.guard import guard


class CallObserver(Protocol):
    """What a processor offers: it is shown each finished call exactly once."""

    def observe(self, call: Call, context: Context | None = None) -> None:
        """Take note of a finished call.

        Args:
            call: the record.
            context: an OTel context that holds the call's span, for exemplars and log records.
        """


@runtime_checkable
class UnseenObserver(Protocol):
    """What a processor offers that also counts requests which could not be read as calls."""

    def unseen(self, host: str) -> None:
        """Take note of such a request to a provider's host."""


class FanOut:
    """Hands each call to all observers; a fault of one does not keep it from the others."""

    def __init__(self, observers: Iterable[CallObserver] = ()) -> None:
        self._observers: tuple[tuple[CallObserver, guard], ...] = ()
        for observer in observers:
            self.add(observer)

    def add(self, observer: CallObserver) -> None:
        """Add an observer; it sees the calls that finish from now on."""
        self._observers = (*self._observers, (observer, guard(f"observe.{type(observer).__name__}")))

    def __call__(self, call: Call, context: Context | None = None) -> None:
        """Show a finished call to every observer, in the order in which they were added."""
        for observer, guarded in self._observers:
            with guarded:
                observer.observe(call, context)

    observe = __call__

    def unseen(self, host: str) -> None:
        """Tell those who count requests that could not be read."""
        for observer, guarded in self._observers:
            if isinstance(observer, UnseenObserver):
                with guarded:
                    observer.unseen(host)
