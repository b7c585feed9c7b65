"""Metrics of calls: the conventions' for spans that are ours, our own for all calls."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from llmcost import semconv
from llmcost.calls import NO_USAGE, Call
from llmcost.exchange.guard import internal_errors
from llmcost.semconv import Metric

_API: Final = metrics.__name__
"""Providers of the API itself stand for none; the application may set one later."""

_INPUT: Final = "input"
_OUTPUT: Final = "output"


class ModelNames:
    """Which model names may stand in a metric. Names that never succeeded fold into ``other``, so that made-up names
    cannot mint series; the number of names is bounded.
    """

    def __init__(self, limit: int = 500) -> None:
        self._known: set[tuple[str, str]] = set()
        self._limit = limit
        self.folded: Final[set[str]] = set()

    def of(self, call: Call) -> str:
        """The metric value for the call's request model."""
        model = call.request_model or call.response_model or semconv.OTHER_MODEL
        key = (call.provider, model)
        if key in self._known:
            return model
        succeeded = call.status_code is not None and call.status_code < 400
        if succeeded and len(self._known) < self._limit:
            self._known.add(key)
            return model
        if len(self.folded) < self._limit:
            self.folded.add(model)
        return semconv.OTHER_MODEL


class MetricsSpanProcessor(SpanProcessor):
    """Records each finished call on the application's meter provider, or on the one given.

    Counters of money and calls are exact under any trace sampling, since they are fed by the flow and not by spans.
    """

    def __init__(self, meter_provider: metrics.MeterProvider | None = None) -> None:
        self._given = meter_provider is not None
        self._meter = metrics.get_meter(semconv.SCOPE, meter_provider=meter_provider, schema_url=semconv.SCHEMA_URL)
        self._models = ModelNames()
        self._attributes: dict[tuple[Any, ...], tuple[dict[str, Any], ...]] = {}
        self._lock = threading.Lock()
        self._token_usage = self._histogram(semconv.TOKEN_USAGE)
        self._duration = self._histogram(semconv.OPERATION_DURATION)
        self._first_chunk = self._histogram(semconv.TIME_TO_FIRST_CHUNK)
        self._per_chunk = self._histogram(semconv.TIME_PER_OUTPUT_CHUNK)
        self._call_cost = self._histogram(semconv.CALL_COST)
        self._cost = self._counter(semconv.COST)
        self._calls = self._counter(semconv.CALLS)
        self._unpriced = self._counter(semconv.CALLS_UNPRICED)
        self._unseen = self._counter(semconv.CALLS_UNSEEN)
        self._meter.create_observable_counter(
            semconv.INTERNAL_ERRORS.name, [_observe_errors], semconv.INTERNAL_ERRORS.unit, semconv.INTERNAL_ERRORS.help
        )

    def observe(self, call: Call, context: Context | None = None) -> None:
        """Record a finished call; ``context`` holds its span, so that exemplars point at it."""
        if not self._given and type(metrics.get_meter_provider()).__module__.startswith(_API):
            self._models.of(call)
            return
        standard, ours, calls = self._attribute_sets(call)
        self._calls.add(1, calls, context)
        if call.cost.total is not None:
            self._cost.add(call.cost.total, ours, context)
            self._call_cost.record(call.cost.total, ours, context)
        elif call.cost.status == "unpriced":
            self._unpriced.add(1, {name: ours[name] for name in semconv.CALLS_UNPRICED.attributes}, context)
        if not call.metered:
            self._standard(call, standard, context)

    def _standard(self, call: Call, attributes: dict[str, Any], context: Context | None) -> None:
        usage = NO_USAGE if call.usage_estimated else call.usage
        if usage.input_tokens is not None:
            self._token_usage.record(usage.input_tokens, {**attributes, semconv.TOKEN_TYPE: _INPUT}, context)
        if usage.output_tokens is not None:
            self._token_usage.record(usage.output_tokens, {**attributes, semconv.TOKEN_TYPE: _OUTPUT}, context)
        if call.error_type is not None:
            attributes = {**attributes, semconv.ERROR_TYPE: call.error_type}
        self._duration.record(call.duration, attributes, context)
        if call.stream and call.time_to_first_chunk is not None:
            self._first_chunk.record(call.time_to_first_chunk, attributes, context)
            if call.chunks > 1:
                seconds = (call.duration - call.time_to_first_chunk) / (call.chunks - 1)
                self._per_chunk.record(seconds, attributes, context)

    def unseen(self, host: str) -> None:
        """Count a request to a provider that could not be read as a call."""
        self._unseen.add(1, {semconv.SERVER_ADDRESS: host})

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing: calls come by :meth:`observe`."""

    def _attribute_sets(self, call: Call) -> tuple[dict[str, Any], ...]:
        model = self._models.of(call)
        key = (
            call.label,
            call.provider,
            model,
            call.response_model,
            call.operation,
            call.budget_action,
            call.cost.status,
            call.server_address,
            call.server_port,
        )
        found = self._attributes.get(key)
        if found is None:
            found = self._attribute_sets_of(call, model)
            if len(self._attributes) < 10_000:
                self._attributes[key] = found
        return found

    def _attribute_sets_of(self, call: Call, model: str) -> tuple[dict[str, Any], ...]:
        standard = {
            semconv.OPERATION_NAME: call.operation,
            semconv.PROVIDER_NAME: call.provider,
            semconv.REQUEST_MODEL: model,
            semconv.RESPONSE_MODEL: call.response_model,
            semconv.SERVER_ADDRESS: call.server_address,
            semconv.SERVER_PORT: call.server_port,
        }
        ours = {
            semconv.SEMANTIC_LABEL: call.label,
            semconv.PROVIDER_NAME: call.provider,
            semconv.REQUEST_MODEL: model,
            semconv.OPERATION_NAME: call.operation,
            semconv.BUDGET_ACTION: call.budget_action,
        }
        return (
            {name: value for name, value in standard.items() if value is not None},
            ours,
            {**ours, semconv.COST_STATUS: call.cost.status},
        )

    def _histogram(self, metric: Metric) -> metrics.Histogram:
        return self._meter.create_histogram(
            metric.name, metric.unit, metric.help, explicit_bucket_boundaries_advisory=list(metric.buckets)
        )

    def _counter(self, metric: Metric) -> metrics.Counter:
        return self._meter.create_counter(metric.name, metric.unit, metric.help)


def _observe_errors(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(count, {"llmcost.place": place}) for place, count in list(internal_errors.items())]
