"""The span of a call: our own, or one that is adopted; and what is written on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from llmcost import semconv
from llmcost.calls import Call
from llmcost.exchange import adopt
from llmcost.exchange.adopt import LABEL
from llmcost.exchange.engine import Engine, SpanSum
from llmcost.exchange.profiles import profile_attributes
from llmcost.exchange.span_attributes import at_end, for_samplers
from llmcost.exchange.started import Started


class CallSpan:
    """The span that stands for a call.

    An ``own`` span is named, given a status and ended here. An adopted one keeps its name, status and end; what it
    lacks is added while it is open. ``metered`` says that its owner records the conventions' metrics too.
    """

    __slots__ = ("_around", "_running", "_span", "attempts", "metered", "own", "recording")

    def __init__(self, span: trace.Span, running: SpanSum | None = None) -> None:
        self._span = span
        self._running = running
        self._around: Context | None = None
        self.recording = span.is_recording()
        if running is None:
            self.own, self.metered, self.attempts = True, False, 1
        else:
            running.attempts += 1
            self.own, self.metered, self.attempts = False, adopt.records_metrics(span), running.attempts

    @classmethod
    def of(cls, engine: Engine, started: Started) -> CallSpan:
        """Adopt the current span where it stands for this call, else start one, unless spans are suppressed."""
        context = started.context
        if _SPAN_KEY in context:
            current = trace.get_current_span(context)
            if adopt.adoptable(current):
                return cls(current, engine.sum_of(current.get_span_context().span_id))
        if not adopt.may_create_span(context):
            return cls(trace.INVALID_SPAN)
        model, operation = started.request.model, started.endpoint.operation
        name = f"{operation} {model}" if model else operation
        return cls(engine.tracer().start_span(name, context, SpanKind.CLIENT, for_samplers(started)))

    def ids(self) -> tuple[str | None, str | None]:
        """Trace id and span id in hex, where the span has any."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return None, None
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def context(self, started: Started, *, suppress_http: bool) -> Context:
        """The context in which the request is sent: marked as inside a call, this span is current, and the network leg
        may be silenced."""
        values: dict[str, object] = {**started.context, LABEL: started.attribution.label}
        if suppress_http:
            values[_SUPPRESS_HTTP_INSTRUMENTATION_KEY] = True
        if self.own and self.recording:
            values[_SPAN_KEY] = self._span
        self._around = Context(values)
        return self._around

    def exemplar_context(self) -> Context | None:
        """A context that holds the span, so that exemplars of metrics point at it."""
        if not self.recording:
            return None
        return self._around if self._around is not None else trace.set_span_in_context(self._span)

    def write(self, started: Started, call: Call, profiles: tuple[str, ...] = ()) -> None:
        """Put the record on the span. Everything must be there before it ends: processors can't add to it."""
        if not self.recording:
            return
        attributes = at_end(started, call)
        if profiles:
            attributes.update(profile_attributes(call, profiles))
        if self._running is None:
            write(self._span, attributes)
            if call.error_type is not None:
                self._span.set_status(Status(StatusCode.ERROR, call.error_type))
            return
        attributes.update(for_samplers(started))
        attributes[semconv.ATTEMPTS] = call.attempts
        _add_up(self._running, call, attributes)
        self._span.set_attributes(adopt.absent_from(self._span, attributes))

    def add(self, attributes: dict[str, Any]) -> None:
        """Put further attributes on a span that is still open; on an adopted one only what is absent."""
        if self.recording:
            self._span.set_attributes(attributes if self.own else adopt.absent_from(self._span, attributes))

    def event(self, name: str, attributes: Mapping[str, Any], at_ns: int | None = None) -> None:
        """Add an event; ``at_ns`` is Unix time in nanoseconds, now by default."""
        if self.recording:
            self._span.add_event(name, attributes, at_ns)

    def end(self) -> None:
        """End an own span; an adopted one is ended by its owner."""
        if self.own:
            self._span.end()


def _add_up(running: SpanSum, call: Call, attributes: dict[str, Any]) -> None:
    """An adopted span that stands for several sends carries their sum."""
    if call.cost.total is not None:
        running.cost = (running.cost or 0.0) + call.cost.total
    if running.cost is not None:
        attributes[semconv.COST_TOTAL] = running.cost


_SPAN_KEY: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""Where a context holds its span."""

_DIRECT: Final = {"_dict", "_lock"} <= set(dir(BoundedAttributes()))
"""Whether the SDK's attributes are kept as they were in the releases that :func:`write` knows."""


def write(span: trace.Span, attributes: dict[str, Any]) -> None:
    """Set attributes on a span of ours.

    The SDK checks and copies each value anew, which for our 25 takes longer than all else that is done with them. Ours
    are of the right types by construction, so where the span is the SDK's and has room for all, they are put in place
    at once; anywhere else they go the public way.
    """
    bounded = getattr(span, "_attributes", None)
    if not _DIRECT or type(bounded) is not BoundedAttributes or bounded.max_value_len is not None:
        span.set_attributes(attributes)
        return
    limit = bounded.maxlen
    if limit is not None and len(bounded) + len(attributes) > limit:
        span.set_attributes(attributes)
        return
    with bounded._lock:  # noqa: SLF001
        bounded._dict.update(attributes)  # noqa: SLF001
