"""The span of a call: our own, or one that is adopted; and what is written on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from llmcost import semconv
from llmcost.attributes import attribution_attributes, end_attributes
from llmcost.calls import Call
from llmcost.exchange import adopt
from llmcost.exchange.adopt import LABEL
from llmcost.exchange.engine import Engine, SpanSum
from llmcost.exchange.profiles import profile_attributes
from llmcost.exchange.started import Started


class CallSpan:
    """The span that stands for a call.

    An ``own`` span is named, given a status and ended here. An adopted one keeps its name, status and end; what it
    lacks is added while it is open. ``metered`` says that its owner records the conventions' metrics too.
    """

    __slots__ = ("_around", "_running", "_span", "attempts", "metered", "own", "recording", "span_id", "trace_id")

    def __init__(self, span: trace.Span, running: SpanSum | None = None) -> None:
        self._span = span
        self.own = running is None
        self._running = running
        self.recording = span.is_recording()
        self.attempts = 1
        context = span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}" if context.is_valid else None
        self.span_id = f"{context.span_id:016x}" if context.is_valid else None
        self._around: Context | None = None
        self.metered = running is not None and adopt.records_metrics(span)
        if running is not None:
            running.attempts += 1
            self.attempts = running.attempts

    @classmethod
    def of(cls, engine: Engine, started: Started) -> CallSpan:
        """Adopt the current span where it stands for this call, else start one, unless spans are suppressed."""
        context = otel_context.get_current()
        current = trace.get_current_span(context)
        if adopt.adoptable(current):
            return cls(current, engine.sum_of(current.get_span_context().span_id))
        if not adopt.may_create_span(context):
            return cls(trace.INVALID_SPAN)
        model, operation = started.request.model, started.endpoint.operation
        name = f"{operation} {model}" if model else operation
        return cls(engine.tracer().start_span(name, context, SpanKind.CLIENT, _for_samplers(started)))

    def context(self, label: str, *, suppress_http: bool) -> Context:
        """The context in which the request is sent: marked as inside a call, this span is current, and the network leg
        may be silenced."""
        values: dict[str, object] = {**otel_context.get_current(), LABEL: label}
        if suppress_http:
            values[_SUPPRESS_HTTP_INSTRUMENTATION_KEY] = True
        if self.own and self.recording:
            self._around = trace.set_span_in_context(self._span, Context(values))
        else:
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
        attributes = _at_start(started)
        attributes.update(end_attributes(call))
        if profiles:
            attributes.update(profile_attributes(call, profiles))
        if self._running is None:
            write(self._span, attributes)
            if call.error_type is not None:
                self._span.set_status(Status(StatusCode.ERROR, call.error_type))
            return
        attributes.update(_for_samplers(started))
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


def _for_samplers(started: Started) -> dict[str, Any]:
    """What is there when the span is made, as the conventions ask for the sake of samplers."""
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: started.endpoint.operation,
        semconv.PROVIDER_NAME: started.endpoint.provider,
        semconv.SERVER_ADDRESS: started.host,
        semconv.SEMANTIC_LABEL: started.attribution.label,
    }
    if started.port is not None:
        attributes[semconv.SERVER_PORT] = started.port
    if started.request.model is not None:
        attributes[semconv.REQUEST_MODEL] = started.request.model
    return attributes


def _at_start(started: Started) -> dict[str, Any]:
    """What else is known before the answer: call site, context, what was asked for."""
    request = started.request
    attributes = dict(attribution_attributes(started.attribution))
    if started.held is not None:
        attributes.update(started.held.attributes())
    if request.stream:
        attributes[semconv.REQUEST_STREAM] = True
    if request.max_tokens is not None:
        attributes[semconv.REQUEST_MAX_TOKENS] = request.max_tokens
    if request.temperature is not None:
        attributes[semconv.REQUEST_TEMPERATURE] = request.temperature
    if request.top_p is not None:
        attributes[semconv.REQUEST_TOP_P] = request.top_p
    if request.service_tier is not None:
        attributes[semconv.REQUEST_SERVICE_TIER] = request.service_tier
    return attributes
