"""Metrics of budgets: how each window stands, read from the ledger when metrics are collected, and what was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation

from llmcost import semconv
from llmcost.calls import Call
from llmcost.control import Standing
from llmcost.exchange.admission import OPEN_SCOPES, Gate
from llmcost.exchange.guard import guard
from llmcost.processors.by_provider import ByProvider
from llmcost.processors.instruments import Kept, Totals
from llmcost.semconv import Metric

_READ: Final = guard("metrics.budgets")
_GAUGES: Final[tuple[tuple[Metric, Callable[[Standing], float | None]], ...]] = (
    (semconv.BUDGET_LIMIT, lambda standing: standing.limit),
    (semconv.BUDGET_SPENT, lambda standing: standing.spent),
    (semconv.BUDGET_RESERVED, lambda standing: standing.held),
    (semconv.BUDGET_USED_RATIO, lambda standing: standing.used_ratio),
)
_SHOWN: Final = OPEN_SCOPES | {"global"}


class BudgetMetrics:
    """Shows budgets on the meter provider given, else on the application's as it is at each call.

    Budgets of users, sessions and other ids are not shown one by one: such values are no metric attributes.

    Args:
        gate: the budgets.
        meter_provider: where to; None takes the application's.
    """

    def __init__(self, gate: Gate, meter_provider: metrics.MeterProvider | None = None) -> None:
        self._gate = gate
        self._given = meter_provider
        self._of: metrics.MeterProvider | None = None
        self._ready()

    def observe(self, call: Call, context: Context | None = None) -> None:  # noqa: ARG002 - the ledger is read instead
        """Notice a meter provider that was set since the last call."""
        self._ready()

    def _ready(self) -> None:
        provider = self._given or metrics.get_meter_provider()
        if provider is self._of:
            return
        self._of = provider
        if not type(provider).__module__.startswith(metrics.__name__):
            _shown.of(provider).gate = self._gate


class _Shown:
    """The instruments of one meter provider, made once: the SDK ignores the callback of one that is made again."""

    def __init__(self, provider: metrics.MeterProvider) -> None:
        self.gate: Gate | None = None
        meter = provider.get_meter(semconv.SCOPE, schema_url=semconv.SCHEMA_URL)
        for metric, value in _GAUGES:
            meter.create_observable_gauge(metric.name, [self._gauge(value)], metric.unit, metric.help)
        decisions = semconv.BUDGET_DECISIONS
        kept = Kept(decisions, self._decisions)
        meter.create_observable_counter(decisions.name, [kept.observe], decisions.unit, decisions.help)

    def _gauge(self, value: Callable[[Standing], float | None]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> list[Observation]:
            with _READ:
                return [
                    Observation(found, _attributes(standing))
                    for standing in self._standings()
                    if (found := value(standing)) is not None
                ]
            return []

        return observe

    def _standings(self) -> list[Standing]:
        if self.gate is None:
            return []
        seen = [{scope: name} for scope, name in list(self.gate.seen)]
        found = self.gate.controller.status.standings(more=seen)
        return [standing for standing in found if standing.scope in _SHOWN and standing.verified]

    def _decisions(self) -> Totals:
        return dict(self.gate.decisions) if self.gate is not None else {}


_shown: Final = ByProvider(_Shown)


def _attributes(standing: Standing) -> dict[str, Any]:
    found = {
        semconv.BUDGET_NAME: standing.budget,
        semconv.BUDGET_SCOPE: standing.scope,
        semconv.BUDGET_WINDOW: standing.window,
    }
    return {**found, semconv.BUDGET_VALUE: standing.value} if standing.value else found
