"""The span of a call: our own, or one that is adopted; and what is written on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from llmcost import semconv
from llmcost.attributes import attribution_attributes, cost_attributes, usage_attributes
from llmcost.calls import Call
from llmcost.exchange import adopt
from llmcost.exchange.adopt import LABEL
from llmcost.exchange.profiles import profile_attributes

if TYPE_CHECKING:
    from llmcost.exchange.engine import SpanSum
    from llmcost.exchange.open_call import OpenCall


class CallSpan:
    """The span that stands for a call.

    An ``own`` span is named, given a status and ended here. An adopted one keeps its name, status and end; what it
    lacks is added while it is open. ``metered`` says that its owner records the conventions' metrics too.
    """

    __slots__ = ("_around", "_span", "attempts", "metered", "own", "recording", "span_id", "trace_id")

    def __init__(self, call: OpenCall, span: trace.Span, own: bool) -> None:
        self._span = span
        self.own = own
        self.recording = span.is_recording()
        self.attempts = 1
        context = span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}" if context.is_valid else None
        self.span_id = f"{context.span_id:016x}" if context.is_valid else None
        self._around: Context | None = None
        self.metered = not own and adopt.records_metrics(span)
        if not own:
            running = call.engine.sum_of(context.span_id)
            running.attempts += 1
            self.attempts = running.attempts

    @classmethod
    def of(cls, call: OpenCall) -> CallSpan:
        """Adopt the current span where it stands for this call, else start one, unless spans are suppressed."""
        context = otel_context.get_current()
        current = trace.get_current_span(context)
        if adopt.adoptable(current):
            return cls(call, current, own=False)
        if not adopt.may_create_span(context):
            return cls(call, trace.INVALID_SPAN, own=True)
        model = call.request.model
        name = f"{call.endpoint.operation} {model}" if model else call.endpoint.operation
        span = call.engine.tracer().start_span(name, context, SpanKind.CLIENT, _for_samplers(call))
        return cls(call, span, own=True)

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

    def write(self, open_call: OpenCall, call: Call) -> None:
        """Put the record on the span. Everything must be there before it ends: processors can't add to it."""
        if not self.recording:
            return
        attributes = _at_start(open_call)
        _add_end(attributes, call)
        if open_call.engine.options.profiles:
            attributes.update(profile_attributes(call, open_call.engine.options.profiles))
        if self.own:
            write(self._span, attributes)
            if call.error_type is not None:
                self._span.set_status(Status(StatusCode.ERROR, call.error_type))
            return
        attributes.update(_for_samplers(open_call))
        attributes[semconv.ATTEMPTS] = call.attempts
        self._add_up(open_call.engine.sum_of(self._span.get_span_context().span_id), call, attributes)
        self._span.set_attributes(adopt.absent_from(self._span, attributes))

    def add(self, attributes: dict[str, Any]) -> None:
        """Put further attributes on a span that is still open; on an adopted one only what is absent."""
        if self.recording:
            self._span.set_attributes(attributes if self.own else adopt.absent_from(self._span, attributes))

    def end(self) -> None:
        """End an own span; an adopted one is ended by its owner."""
        if self.own:
            self._span.end()

    def _add_up(self, running: SpanSum, call: Call, attributes: dict[str, Any]) -> None:
        """An adopted span that stands for several sends carries their sum."""
        if call.cost.total is not None:
            running.cost = (running.cost or 0.0) + call.cost.total
        if running.cost is not None:
            attributes[semconv.COST_TOTAL] = running.cost


def write(span: trace.Span, attributes: dict[str, Any]) -> None:
    """Set attributes on a span of ours.

    The SDK checks and copies each value anew, which for our 25 takes longer than all else that is done with them. Ours
    are of the right types by construction, so where the span is the SDK's and has room for all, they are put in place
    at once; anywhere else they go the public way.
    """
    bounded = getattr(span, "_attributes", None)
    if type(bounded) is not BoundedAttributes or bounded.max_value_len is not None:
        span.set_attributes(attributes)
        return
    limit = bounded.maxlen
    if limit is not None and len(bounded) + len(attributes) > limit:
        span.set_attributes(attributes)
        return
    with bounded._lock:  # noqa: SLF001
        bounded._dict.update(attributes)  # noqa: SLF001


def _for_samplers(call: OpenCall) -> dict[str, Any]:
    """What is there when the span is made, as the conventions ask for the sake of samplers."""
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: call.endpoint.operation,
        semconv.PROVIDER_NAME: call.endpoint.provider,
        semconv.SERVER_ADDRESS: call.host,
        semconv.SEMANTIC_LABEL: call.attribution.label,
    }
    if call.port is not None:
        attributes[semconv.SERVER_PORT] = call.port
    if call.request.model is not None:
        attributes[semconv.REQUEST_MODEL] = call.request.model
    return attributes


def _at_start(call: OpenCall) -> dict[str, Any]:
    """What else is known before the answer: call site, context, what was asked for."""
    request = call.request
    attributes = dict(attribution_attributes(call.attribution))
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


def _add_end(attributes: dict[str, Any], call: Call) -> None:
    """What the answer told, and what it cost."""
    attributes.update(cost_attributes(call.cost))
    attributes.update(usage_attributes(call.usage))
    attributes[semconv.CALL_ID] = call.id
    if call.usage_estimated:
        attributes[semconv.USAGE_ESTIMATED] = True
    attributes[semconv.CALL_TYPE] = call.call_type
    if call.response_model is not None:
        attributes[semconv.RESPONSE_MODEL] = call.response_model
    if call.response_id is not None:
        attributes[semconv.RESPONSE_ID] = call.response_id
    if call.finish_reasons:
        attributes[semconv.RESPONSE_FINISH_REASONS] = call.finish_reasons
    if call.service_tier is not None:
        attributes[semconv.RESPONSE_SERVICE_TIER] = call.service_tier
    if call.run_id is not None:
        attributes[semconv.RUN_ID] = call.run_id
    if call.stream and call.time_to_first_chunk is not None:
        attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = call.time_to_first_chunk
    if call.outcome != "complete":
        attributes.update(_trouble(call))


def _trouble(call: Call) -> dict[str, Any]:
    """How a call ended that did not end well; absent otherwise, since each attribute costs half a microsecond."""
    attributes: dict[str, Any] = {semconv.CALL_OUTCOME: call.outcome}
    if call.status_code is not None:
        attributes[semconv.HTTP_STATUS_CODE] = call.status_code
    if call.error_type is not None:
        attributes[semconv.ERROR_TYPE] = call.error_type
    if call.error_code is not None:
        attributes[semconv.ERROR_CODE] = call.error_code
    return attributes
