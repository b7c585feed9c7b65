"""The second door: GenAI spans whose exchange the flow never saw, such as gRPC calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from llmcost import attributes as names
from llmcost import semconv
from llmcost.calls import NOT_BILLED, Attribution, Call
from llmcost.exchange.engine import Engine, active
from llmcost.exchange.guard import guard
from llmcost.pricing import PriceRequest

_EXCLUSIVE_INPUT_SCOPES: Final = frozenset({"openlit.otel.tracing"})


class SecondDoor(SpanProcessor):
    """Prices finished spans of the named instrumentation scopes and shows them to the observers as calls.

    Off unless scopes are named: a span whose call the flow has counted, or a span that repeats its children's usage,
    must not be counted again. An ended span can't be changed, so the cost is in metrics, store and reports only.

    Args:
        scopes: names of instrumentation scopes, such as ``opentelemetry.instrumentation.vertexai``.
        observe: where calls go.
    """

    def __init__(self, scopes: Collection[str], observe: Callable[[Call, Context | None], None]) -> None:
        self._scopes = frozenset(scopes)
        self._observe = observe

    def close(self) -> None:
        """Count nothing any more; a processor can't be taken off its provider."""
        self._scopes = frozenset()

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span of an opened scope that the flow has not counted."""
        with guard("second_door"):
            engine = active.engine
            found = span.attributes or {}
            scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
            if engine is None or scope not in self._scopes or semconv.CALL_ID in found:
                return
            if found.get(semconv.OPERATION_NAME) not in semconv.PRICED_OPERATIONS:
                return
            self._observe(_call_of(engine, span, found, scope), _context_of(span))


def _context_of(span: ReadableSpan) -> Context | None:
    context = span.get_span_context()
    return trace.set_span_in_context(trace.NonRecordingSpan(context)) if context else None


def _call_of(engine: Engine, span: ReadableSpan, found: Mapping[str, Any], scope: str) -> Call:
    started = span.start_time or 0
    usage = names.usage_of(found, exclusive_input=scope in _EXCLUSIVE_INPUT_SCOPES)
    provider = str(names.read(found, semconv.PROVIDER_NAME) or "unknown")
    response_model = names.read(found, semconv.RESPONSE_MODEL)
    request_model = names.read(found, semconv.REQUEST_MODEL)
    failed = not span.status.is_ok and span.status.status_code is trace.StatusCode.ERROR
    what = PriceRequest(provider, response_model, request_model, found.get(semconv.RESPONSE_SERVICE_TIER))
    context = span.get_span_context()
    return Call(
        id=engine.new_id(started),
        started_ns=started,
        duration=((span.end_time or started) - started) / 1e9,
        operation=str(found[semconv.OPERATION_NAME]),
        provider=provider,
        request_model=request_model,
        response_model=response_model,
        response_id=names.read(found, semconv.RESPONSE_ID),
        usage=usage,
        cost=NOT_BILLED
        if failed and usage.total_tokens is None
        else engine.prices.price_call(what, usage, at=started / 1e9),
        attribution=_attribution(found),
        outcome="failed" if failed else "complete",
        error_type=found.get(semconv.ERROR_TYPE),
        run_id=engine.options.run_id,
        adopted=True,
        metered=True,
        trace_id=trace.format_trace_id(context.trace_id) if context else None,
        span_id=trace.format_span_id(context.span_id) if context else None,
    )


def _attribution(found: Mapping[str, Any]) -> Attribution:
    label = found.get(semconv.SEMANTIC_LABEL)
    return Attribution(
        label=label or semconv.UNTRACKED,
        label_source="explicit" if label else "none",
        user_id=names.read(found, semconv.USER_ID),
        session_id=names.read(found, semconv.SESSION_ID),
        conversation_id=found.get(semconv.CONVERSATION_ID),
        agent=found.get(semconv.AGENT_NAME),
        workflow=found.get(semconv.WORKFLOW_NAME),
    )
