"""Metrics of budgets: how each window stands, read from the ledger when metrics are collected, and what was decided."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
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

    Budgets of users, sessions and other ids are not shown one by one, as such values are no metric attributes, unless
    the setting ``metric_users`` asks for the most used.

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
        self._read: tuple[Gate | None, list[Standing]] = None, []
        self._told: set[str] = set()
        meter = provider.get_meter(semconv.SCOPE, schema_url=semconv.SCHEMA_URL)
        for metric, value in _GAUGES:
            callbacks = [self._gauge(metric.name, value)]
            meter.create_observable_gauge(metric.name, callbacks, metric.unit, metric.help)
        decisions = semconv.BUDGET_DECISIONS
        kept = Kept(decisions, self._decisions)
        meter.create_observable_counter(decisions.name, [kept.observe], decisions.unit, decisions.help)

    def _gauge(
        self, name: str, value: Callable[[Standing], float | None]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> list[Observation]:
            with _READ:
                return [
                    Observation(found, _attributes(standing))
                    for standing in self._standings(name)
                    if (found := value(standing)) is not None
                ]
            return []

        return observe

    def _standings(self, asker: str) -> list[Standing]:
        """How the budgets stand; read once for all gauges of a round: the gauge that asks again begins the next."""
        if self._read[0] is not self.gate or asker in self._told:
            self._told = set()
            self._read = self.gate, [] if self.gate is None else _shown_of(self.gate)
        self._told.add(asker)
        return self._read[1]

    def _decisions(self) -> Totals:
        return dict(self.gate.decisions) if self.gate is not None else {}


_shown: Final = ByProvider(_Shown)


def _shown_of(gate: Gate) -> list[Standing]:
    values = [{scope: name} for scope, name in [*gate.seen, *gate.lately]]
    found = [standing for standing in gate.controller.status.standings(more=values) if standing.verified]
    return [standing for standing in found if standing.scope in _SHOWN] + _most_used(found, gate.gauges)


def _most_used(found: Sequence[Standing], most: int) -> list[Standing]:
    """Of each budget of users and other ids the windows of the values that are most used, by their fullest window."""
    fullest: dict[str, dict[str, float]] = {}
    for standing in found if most else ():
        if standing.scope not in _SHOWN:
            values = fullest.setdefault(standing.budget, {})
            values[standing.value] = max(standing.used_ratio, values.get(standing.value, 0.0))
    shown = {
        (budget, value)
        for budget, values in fullest.items()
        for value in heapq.nlargest(most, values, key=values.__getitem__)
    }
    return [standing for standing in found if (standing.budget, standing.value) in shown]


def _attributes(standing: Standing) -> dict[str, Any]:
    found = {
        semconv.BUDGET_NAME: standing.budget,
        semconv.BUDGET_SCOPE: standing.scope,
        semconv.BUDGET_WINDOW: standing.window,
    }
    return {**found, semconv.BUDGET_VALUE: standing.value} if standing.value else found
