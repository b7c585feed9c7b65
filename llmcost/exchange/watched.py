"""A call that is watched; see :mod:`llmcost.exchange.watch`."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token

from opentelemetry.context import Context

from llmcost.exchange.engine import Engine
from llmcost.exchange.open_call import OpenCall
from llmcost.exchange.started import Started
from llmcost.exchange.watch import Watch


class WatchedCall(OpenCall):
    """An open call with a watch, which rests while others are at work."""

    __slots__ = ("_watch",)

    def __init__(self, engine: Engine, started: Started, watch: Watch) -> None:
        super().__init__(engine, started)
        self._watch = watch

    def enter(self) -> Token[Context]:
        """The request is about to be sent."""
        token = super().enter()
        self._watch.rest()
        return token

    def leave(self, token: Token[Context]) -> None:
        """The answer's head is here, or an error."""
        self._watch.run()
        super().leave(token)

    def decode(self, encoding: str | None) -> None:
        """The body will come as a stream."""
        super().decode(encoding)
        self._watch.rest()

    def passing(self) -> Callable[[bytes], bool]:
        """What takes chunks that hold nothing but text."""
        passes = super().passing()

        def watched(chunk: bytes) -> bool:
            self._watch.run()
            taken = passes(chunk)
            self._watch.rest()
            return taken

        return watched

    def feed(self, chunk: bytes) -> bytes:
        """Bytes of the stream."""
        self._watch.run()
        try:
            return super().feed(chunk)
        finally:
            self._watch.rest()

    def finish(self, outcome: str, error: BaseException | None = None) -> None:
        """End the call, exactly once."""
        if not self.finished:
            self._watch.run()
            super().finish(outcome, error)
            self._watch.end()
