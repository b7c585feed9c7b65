"""One call while it is open: from the moment before the request is sent until its response is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Token
from types import FrameType
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from llmcost.calls import Attribution, Call
from llmcost.exchange import content, record
from llmcost.exchange.engine import Engine
from llmcost.exchange.guard import guard
from llmcost.exchange.inject import HiddenUsageChunk
from llmcost.exchange.reading import Reading
from llmcost.exchange.spans import CallSpan
from llmcost.exchange.wire import decoder
from llmcost.providers import Endpoint, RequestFacts, ResponseFacts

_FEED: Final = guard("call.feed")
_FINISH: Final = guard("call.finish")
_END_SPAN: Final = guard("call.end_span")
_OBSERVE: Final = guard("call.observe")


class OpenCall:
    """The state of one call. Whatever ends it first (end mark, exhaustion, close, error, cancellation, the garbage
    collector) finishes it; later endings do nothing.
    """

    __slots__ = (
        "_decode",
        "_open",
        "attribution",
        "endpoint",
        "engine",
        "error",
        "first_chunk",
        "hidden",
        "host",
        "port",
        "reading",
        "request",
        "span",
        "started",
        "started_ns",
        "status",
    )

    def __init__(self, engine: Engine, endpoint: Endpoint, request: RequestFacts) -> None:
        self.engine = engine
        self.endpoint = endpoint
        self.request = request
        self.started_ns = engine.clock.now_ns()
        self.started = engine.clock.monotonic()
        self.first_chunk: float | None = None
        self.reading: Reading | None = None
        self.error: BaseException | None = None
        self.status: int | None = None
        self._decode: Callable[[bytes], bytes] | None = None
        self.hidden: HiddenUsageChunk | None = None
        self._open = [True]

    def start(self, frame: FrameType, host: str, port: int | None) -> None:
        """Attribute the call to the code above ``frame`` and adopt or open its span."""
        self.host = host
        self.port = port
        self.attribution: Attribution = self.engine.attribute(frame)
        self.span = CallSpan.of(self)

    def enter(self) -> Token[Context]:
        """Make the call's span current and mark the context, around the inner send only."""
        return otel_context.attach(
            self.span.context(self.attribution.label, suppress_http=self.engine.options.suppress_http_spans)
        )

    def leave(self, token: Token[Context]) -> None:
        """Undo :meth:`enter`."""
        otel_context.detach(token)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The response's head is here."""
        self.status = status
        self.reading = Reading(self.endpoint, self.request, status, headers)

    def decode(self, encoding: str | None) -> None:
        """The body will come as it came over the wire, in this ``content-encoding``."""
        self._decode = decoder(encoding) if encoding else None

    def whole(self, body: bytes) -> None:
        """The response's body, whole and decoded."""
        if self.reading is not None:
            self.reading.whole(body)

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
        self.engine.open_streams.pop(id(self), None)
        self.error = error
        call: Call | None = None
        with _FINISH:
            facts = record.facts_of(self)
            call = record.build(self, facts, outcome)
            self.span.write(self, call)
            if self.engine.options.capture_content != "NO_CONTENT":
                self._capture()
        with _END_SPAN:
            self.span.end()
        if call is not None:
            with _OBSERVE:
                self._show(call, facts)

    def _capture(self) -> None:
        """Put the messages where the setting says; their size is bounded by what the reading keeps."""
        kept = self.reading.kept() if self.reading is not None else ()
        attributes = content.captured(self.request.body, kept)
        where = self.engine.options.capture_content
        if where in content.ON_SPAN:
            self.span.add(attributes)
        if where in content.IN_EVENT:
            content.emit(attributes, self.span.exemplar_context())

    def _show(self, call: Call, facts: ResponseFacts) -> None:
        """To the observers; a call that goes on in the background waits for its poll."""
        if record.in_background(facts):
            self.engine.background.wait(self, call)
        else:
            self.engine.observe(call, self.span.exemplar_context())

    @property
    def finished(self) -> bool:
        """Whether the call has ended."""
        return not self._open


def settle_poll(engine: Engine, facts: ResponseFacts) -> None:
    """End the background call that a poll has answered for."""
    found = engine.background.take(facts.id)
    if found is None:
        return
    open_call, waiting = found
    call = record.polled(open_call, waiting, facts)
    if call is None:
        engine.background.wait(open_call, waiting)
    else:
        engine.observe(call, open_call.span.exemplar_context())
