"""The span of a call: our own, or one that is adopted; and what is written on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from llmcost import semconv
from llmcost.attributes import attribution_attributes, cost_attributes, usage_attributes
from llmcost.calls import Call
from llmcost.exchange import adopt
from llmcost.exchange.profiles import profile_attributes

if TYPE_CHECKING:
    from llmcost.exchange.open_call import OpenCall


class CallSpan:
    """The span that stands for a call.

    An ``own`` span is named, given a status and ended here. An adopted one keeps its name, status and end; what it
    lacks is added while it is open.
    """

    __slots__ = ("_call", "_span", "attempts", "own", "recording", "span_id", "trace_id")

    def __init__(self, call: OpenCall, span: trace.Span, own: bool) -> None:
        self._call = call
        self._span = span
        self.own = own
        self.recording = span.is_recording()
        self.attempts = 1
        context = span.get_span_context()
        self.trace_id = trace.format_trace_id(context.trace_id) if context.is_valid else None
        self.span_id = trace.format_span_id(context.span_id) if context.is_valid else None
        if not own:
            running = call.engine.sum_of(context.span_id)
            running.attempts += 1
            self.attempts = running.attempts

    @classmethod
    def of(cls, call: OpenCall) -> CallSpan:
        """Adopt the current span where it stands for this call, else start one, unless spans are suppressed."""
        current = trace.get_current_span()
        if adopt.adoptable(current):
            return cls(call, current, own=False)
        if not adopt.may_create_span():
            return cls(call, trace.INVALID_SPAN, own=True)
        model = call.request.model
        name = f"{call.endpoint.operation} {model}" if model else call.endpoint.operation
        span = call.engine.tracer().start_span(name, kind=SpanKind.CLIENT, attributes=_at_start(call))
        return cls(call, span, own=True)

    def context(self) -> Context:
        """The context in which the request is sent: this span is current, and the network leg may be silenced."""
        context = otel_context.get_current()
        if self.own and self.recording:
            context = trace.set_span_in_context(self._span, context)
        if self._call.engine.options.suppress_http_spans:
            context = otel_context.set_value(_SUPPRESS_HTTP_INSTRUMENTATION_KEY, True, context)
        return context

    def exemplar_context(self) -> Context | None:
        """A context that holds the span, so that exemplars of metrics point at it."""
        return trace.set_span_in_context(self._span) if self.recording else None

    def write(self, call: Call) -> None:
        """Put the record on the span. Everything must be there before it ends: processors can't add to it."""
        if not self.recording:
            return
        attributes = _at_end(call)
        if self._call.engine.options.profiles:
            attributes.update(profile_attributes(call, self._call.engine.options.profiles))
        if self.own:
            self._span.set_attributes(attributes)
            if call.error_type is not None:
                self._span.set_status(Status(StatusCode.ERROR, call.error_type))
            return
        attributes.update(_at_start(self._call))
        attributes[semconv.ATTEMPTS] = call.attempts
        self._add_up(call, attributes)
        self._span.set_attributes(adopt.absent_from(self._span, attributes))

    def add(self, attributes: dict[str, Any]) -> None:
        """Put further attributes on a span that is still open; on an adopted one only what is absent."""
        if self.recording:
            self._span.set_attributes(attributes if self.own else adopt.absent_from(self._span, attributes))

    def end(self) -> None:
        """End an own span; an adopted one is ended by its owner."""
        if self.own:
            self._span.end()

    def _add_up(self, call: Call, attributes: dict[str, Any]) -> None:
        """An adopted span that stands for several sends carries their sum."""
        running = self._call.engine.sum_of(self._span.get_span_context().span_id)
        if call.cost.total is not None:
            running.cost = (running.cost or 0.0) + call.cost.total
        if running.cost is not None:
            attributes[semconv.COST_TOTAL] = running.cost


def _at_start(call: OpenCall) -> dict[str, Any]:
    """What samplers may ask for, and what is known before the answer."""
    request = call.request
    attributes = attribution_attributes(call.attribution)
    attributes[semconv.OPERATION_NAME] = call.endpoint.operation
    attributes[semconv.PROVIDER_NAME] = call.endpoint.provider
    attributes[semconv.SERVER_ADDRESS] = call.host
    if call.port is not None:
        attributes[semconv.SERVER_PORT] = call.port
    if request.model is not None:
        attributes[semconv.REQUEST_MODEL] = request.model
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


def _at_end(call: Call) -> dict[str, Any]:
    """What the answer told, and what it cost."""
    attributes = cost_attributes(call.cost)
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
    return attributes


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
