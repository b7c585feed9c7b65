"""Metrics of calls: the conventions' for spans that are ours, our own for all calls."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from llmcost import semconv
from llmcost.calls import NO_USAGE, Call
from llmcost.exchange.guard import log
from llmcost.processors.instruments import LOCK, Attributes, Backlog, Instruments, Sum, present_instruments
from llmcost.processors.token_classes import token_classes
from llmcost.processors.top_users import TopUsers

_MOST_SERIES: Final = 10_000
MOST_SETS: Final = 1_000
"""Sets of label, provider, model, operation and budget action that metrics keep apart."""
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
        succeeded = call.error_type is None and (call.status_code or 200) < 400
        if succeeded and len(self._known) < self._limit:
            self._known.add(key)
            return model
        if len(self.folded) < self._limit:
            self.folded.add(model)
        return semconv.OTHER_MODEL


class LabelSets:
    """Which labels may stand in a metric. Where there are :data:`MOST_SETS` sets, further labels fold into ``other``;
    that is said once, and ``folded`` counts the calls. Store and reports keep every label."""

    def __init__(self, limit: int = MOST_SETS) -> None:
        self._known: set[tuple[str, ...]] = set()
        self._limit = limit
        self.folded = 0

    def of(self, call: Call, model: str) -> str:
        """The metric value for the call's label."""
        key = (call.label, call.provider, model, call.operation, call.budget_action)
        if key in self._known:
            return call.label
        if len(self._known) < self._limit:
            self._known.add(key)
            return call.label
        if not self.folded:
            log.warning(
                "llmcost: more than %s sets of labels and models: metrics, not the store, count further labels as %r",
                f"{self._limit:,}",
                semconv.OTHER_LABEL,
            )
        self.folded += 1
        return semconv.OTHER_LABEL


class Series:
    """What calls of one kind are recorded under: the attribute sets, made once, and the sums of their counters."""

    __slots__ = (
        "_instruments",
        "adopted",
        "calls",
        "cost",
        "input",
        "ours",
        "output",
        "standard",
        "tokens",
        "unpriced",
    )

    def __init__(self, instruments: Instruments, call: Call, model: str, label: str) -> None:
        standard = {
            semconv.OPERATION_NAME: call.operation,
            semconv.PROVIDER_NAME: call.provider,
            semconv.REQUEST_MODEL: model,
            semconv.RESPONSE_MODEL: call.response_model,
            semconv.SERVER_ADDRESS: call.server_address,
            semconv.SERVER_PORT: call.server_port,
        }
        self.standard: Attributes = {name: value for name, value in standard.items() if value is not None}
        self.input: Attributes = {**self.standard, semconv.TOKEN_TYPE: _INPUT}
        self.output: Attributes = {**self.standard, semconv.TOKEN_TYPE: _OUTPUT}
        self.ours: Attributes = {
            semconv.SEMANTIC_LABEL: label,
            semconv.PROVIDER_NAME: call.provider,
            semconv.REQUEST_MODEL: model,
            semconv.OPERATION_NAME: call.operation,
            semconv.BUDGET_ACTION: call.budget_action,
        }
        self.cost = instruments.cost.of(self.ours)
        self.calls = instruments.calls.of({**self.ours, semconv.COST_STATUS: call.cost.status})
        self.unpriced = instruments.unpriced.of(self.ours)
        self.adopted = instruments.adopted.of(self.ours)
        self.tokens: dict[str, tuple[Sum, Sum]] = {}
        self._instruments = instruments

    def of_class(self, name: str) -> tuple[Sum, Sum]:
        """The sums of the tokens of a class and of their money."""
        found = self.tokens.get(name)
        if found is None:
            values = {**self.ours, semconv.TOKEN_CLASS: name}
            found = self._instruments.tokens.of(values), self._instruments.tokens_cost.of(values)
            self.tokens[name] = found
        return found


class MetricsSpanProcessor(SpanProcessor):
    """Records each finished call on the meter provider given, else on the application's as it is at each call.

    Counters of money and calls are exact under any trace sampling, since they are fed by the flow and not by spans.

    Args:
        meter_provider: where to; None takes the application's.
        backlog: the local store, where there is one.
        users: how many users, those that spend most, stand by themselves in a metric of their own.
    """

    def __init__(
        self, meter_provider: metrics.MeterProvider | None = None, backlog: Backlog | None = None, users: int = 0
    ) -> None:
        self._given = meter_provider
        self._backlog = backlog
        self._users = TopUsers(users) if users else None
        self._of: metrics.MeterProvider | None = None
        self._models = ModelNames()
        self.labels = LabelSets()
        self._series: dict[tuple[Any, ...], Series] = {}
        self._instruments: Instruments | None = None
        self._ready()

    def observe(self, call: Call, context: Context | None = None) -> None:
        """Record a finished call; ``context`` holds its span, so that exemplars point at it."""
        instruments = self._ready()
        if instruments is None:
            self._models.of(call)
            return
        series = self._series_of(instruments, call)
        total = call.cost.total
        with LOCK:
            series.calls.value += 1
            series.calls.context = context
            if total is not None:
                series.cost.value += total
                series.cost.context = context
                if self._users is not None and call.attribution.user_id is not None:
                    self._users.add(call.attribution.user_id, total)
            elif call.cost.status == "unpriced":
                series.unpriced.value += 1
            if call.adopted:
                series.adopted.value += 1
            for name, tokens, usd in token_classes(call.usage, call.cost):
                count, money = series.of_class(name)
                count.value += tokens
                money.value += usd
                count.context = money.context = context
        if total is not None:
            instruments.call_cost.record(total, series.ours, context)
        if not call.metered:
            self._standard(instruments, call, series, context)

    def _ready(self) -> Instruments | None:
        """The instruments of the provider that is set now; None where there is only the API's, which does nothing."""
        provider = self._given or metrics.get_meter_provider()
        if provider is not self._of:
            self._of = provider
            self._series = {}
            self._instruments = present_instruments(self._given)
            if self._instruments is not None:
                self._instruments.backlog = self._backlog
                self._instruments.users = self._users
        return self._instruments

    def _standard(self, instruments: Instruments, call: Call, series: Series, context: Context | None) -> None:
        usage = NO_USAGE if call.usage_estimated else call.usage
        if usage.input_tokens is not None:
            instruments.token_usage.record(usage.input_tokens, series.input, context)
        if usage.output_tokens is not None:
            instruments.token_usage.record(usage.output_tokens, series.output, context)
        attributes = series.standard
        if call.error_type is not None:
            attributes = {**attributes, semconv.ERROR_TYPE: call.error_type}
        instruments.duration.record(call.duration, attributes, context)
        if call.stream and call.time_to_first_chunk is not None:
            instruments.first_chunk.record(call.time_to_first_chunk, attributes, context)
            if call.chunks > 1:
                seconds = (call.duration - call.time_to_first_chunk) / (call.chunks - 1)
                instruments.per_chunk.record(seconds, attributes, context)

    def unseen(self, host: str) -> None:
        """Count a request to a provider that could not be read as a call."""
        instruments = self._ready()
        if instruments is not None:
            found = instruments.unseen.of({semconv.SERVER_ADDRESS: host})
            with LOCK:
                found.value += 1

    def overhead(self, seconds: float) -> None:
        """Note for how long llmcost held a call up."""
        instruments = self._ready()
        if instruments is not None:
            instruments.overhead.record(seconds)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing: calls come by :meth:`observe`."""

    def _series_of(self, instruments: Instruments, call: Call) -> Series:
        model = self._models.of(call)
        label = self.labels.of(call, model)
        key = (
            label,
            call.provider,
            model,
            call.response_model,
            call.operation,
            call.budget_action,
            call.cost.status,
            call.server_address,
            call.server_port,
        )
        found = self._series.get(key)
        if found is None:
            found = Series(instruments, call, model, label)
            if len(self._series) < _MOST_SERIES:
                self._series[key] = found
        return found
