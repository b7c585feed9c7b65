"""One call while it is open: from the moment before the request is sent until its response is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Token
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from llmcost.calls import Call
from llmcost.exchange import content, record
from llmcost.exchange.background import Waiting
from llmcost.exchange.engine import Engine
from llmcost.exchange.guard import guard
from llmcost.exchange.inject import HiddenUsageChunk
from llmcost.exchange.reading import Reading, UsualReading
from llmcost.exchange.spans import CallSpan
from llmcost.exchange.started import Ended, Started
from llmcost.exchange.wire import decoder
from llmcost.providers import ResponseFacts
from llmcost.providers.responses import usual
from llmcost.records import make_tuple

if TYPE_CHECKING:
    from llmcost.exchange.held import Held

_NO_FACTS: Final = ResponseFacts()
_REFUSED: Final = 400
_FEED: Final = guard("call.feed")
_FINISH: Final = guard("call.finish")
_SETTLE: Final = guard("call.settle")
_END_SPAN: Final = guard("call.end_span")
_OBSERVE: Final = guard("call.observe")


def _passes_none(_chunk: bytes) -> bool:
    """Every chunk is to be fed."""
    return False


class OpenCall:
    """The state of one call. Whatever ends it first (end mark, exhaustion, close, error, cancellation, the garbage
    collector) finishes it; later endings do nothing.
    """

    __slots__ = ("_decode", "_open", "engine", "first_chunk", "hidden", "reading", "span", "started", "status")

    def __init__(self, engine: Engine, started: Started) -> None:
        self.engine = engine
        self.started = started
        self.span = CallSpan.of(engine, started)
        self.reading: Reading | UsualReading | None = None
        self.status: int | None = None
        self.first_chunk: float | None = None
        self.hidden: HiddenUsageChunk | None = None
        self._decode: Callable[[bytes], bytes] | None = None
        self._open = [True]

    def enter(self) -> Token[Context]:
        """Make the call's span current and mark the context, around the inner send only."""
        return otel_context.attach(
            self.span.context(self.started, suppress_http=self.engine.options.suppress_http_spans)
        )

    def leave(self, token: Token[Context]) -> None:
        """Undo :meth:`enter`."""
        otel_context.detach(token)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The response's head is here."""
        self.status = status
        self.reading = Reading(self.started.endpoint, self.started.request, status, headers)

    def decode(self, encoding: str | None) -> None:
        """The body will come as it came over the wire, in this ``content-encoding``."""
        self._decode = decoder(encoding) if encoding else None

    def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """The response is here, its body whole and decoded."""
        endpoint, request = self.started.endpoint, self.started.request
        shape = endpoint.shape
        facts = usual(shape, body, request) if status < _REFUSED and not request.stream else None
        if facts is not None:
            self.status, self.reading = status, UsualReading(shape, facts, body)
            return
        reading = self.reading = Reading(endpoint, request, status, headers)
        self.status = status
        reading.whole(body)

    def passing(self) -> Callable[[bytes], bool]:
        """What takes chunks that hold nothing but text, where nothing else is to be done with them; it says of each
        whether it did. A chunk that it did not take is to be fed.
        """
        reading = self.reading
        if type(reading) is Reading and self._decode is None and self.hidden is None and self.started.held is None:
            return reading.passes
        return _passes_none

    def feed(self, chunk: bytes) -> bytes:
        """Bytes of the response's body as they came over the wire; returns what the program is given: the same bytes,
        unless a usage chunk that we asked for is to be hidden. Finishes the call at the provider's end mark.
        """
        reading = self.reading
        if reading is None or not self._open:
            return chunk if self.hidden is None else self.hidden.feed(chunk)
        with _FEED:
            reading.feed(chunk if self._decode is None else self._decode(chunk))
            if self.first_chunk is None and reading.chunks:
                self.first_chunk = self.engine.clock.monotonic()
            held = self.started.held
            if held is not None:
                held.alive(self.engine.clock.monotonic())
        if self.hidden is not None:
            chunk = self.hidden.feed(chunk)
        if reading.done:
            self.finish("complete")
        return chunk

    def rest(self) -> bytes:
        """What was held back at the end of the stream."""
        return self.hidden.rest() if self.hidden is not None else b""

    def finish(self, outcome: str, error: BaseException | None = None) -> None:
        """End the call, exactly once: build the record, write it on the span, show it to the observers."""
        try:
            self._open.pop()
        except IndexError:
            return
        engine, started, span = self.engine, self.started, self.span
        engine.open_streams.pop(id(self), None)
        call: Call | None = None
        held, waits = started.held, False
        with _FINISH:
            facts = self.reading.facts() if self.reading is not None else _NO_FACTS
            waits = record.in_background(facts)
            ended = self._ended(outcome, error)
            call = record.build(engine, ended, facts, span)
            if held is not None and not waits:
                self._settle(held, call, ended)
            span.write(started, call, engine.options.profiles)
            if engine.events is not None:
                for name, attributes in engine.events(call):
                    span.event(name, attributes)
            if engine.options.capture_content != "NO_CONTENT":
                self._capture()
        if call is None and held is not None:
            with _SETTLE:
                held.give_up()
        with _END_SPAN:
            span.end()
        if call is not None:
            with _OBSERVE:
                if waits:
                    self._wait(call, ended)
                else:
                    self._show(call)

    def _ended(self, by: str, error: BaseException | None) -> Ended:
        reading, now = self.reading, self.engine.clock.monotonic()
        if reading is None:
            return Ended(self.started, by, now, self.status, error)
        measure = reading.output_characters
        return make_tuple(Ended, (self.started, by, now, self.status, error, self.first_chunk, reading.chunks, measure))

    def _settle(self, held: Held, call: Call, ended: Ended) -> None:
        """Book the call and tell on its span what budgets said."""
        for name, attributes in held.events():
            self.span.event(name, attributes, self.started.at_ns)
        for name, attributes in held.settle(call, sent=record.was_sent(ended)):
            self.span.event(name, attributes)

    def _show(self, call: Call) -> None:
        self.engine.observe(call, self.span.exemplar_context())

    def _wait(self, call: Call, ended: Ended) -> None:
        """The call goes on in the background: it is shown when its poll answers."""

        def resume(facts: ResponseFacts) -> Call | None:
            return record.polled(self.engine, ended, call, facts)

        def show(finished: Call) -> None:
            if self.started.held is not None:
                self.started.held.settle(finished)
            self._show(finished)

        self.engine.background.wait(Waiting(call, resume, show))

    def _capture(self) -> None:
        """Put the messages where the setting says; their size is bounded by what the reading keeps."""
        kept = self.reading.kept() if self.reading is not None else ()
        attributes = content.captured(self.started.request.body, kept)
        where = self.engine.options.capture_content
        if where in content.ON_SPAN:
            self.span.add(attributes)
        if where in content.IN_EVENT:
            content.emit(attributes, self.span.exemplar_context())

    def abandon(self) -> None:
        """The call belongs to the process that this one was forked from: no ending counts here."""
        self._open.clear()

    @property
    def finished(self) -> bool:
        """Whether the call has ended."""
        return not self._open
