"""Forecasts as gauges: of the whole program, of the labels and models seen by this process, and of the budgets."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.sdk.trace import SpanProcessor

from llmcost import semconv
from llmcost.control import Standing
from llmcost.control.feed import Feed, key_of
from llmcost.control.ledger import LedgerFailure
from llmcost.exchange.admission import OPEN_SCOPES
from llmcost.insight import Forecast
from llmcost.insight.foresight import month_end, restored
from llmcost.processors.instruments import present_instruments
from llmcost.processors.outlook_settings import Standings
from llmcost.processors.sums import Row

_MOST_MARKED: Final = 100
"""Values of each kind (labels, models, tenants) that are foretold: those called last."""
_EVERY: Final = 4
_BOUNDS: Final[Mapping[str, Callable[[Forecast], float]]] = {
    "median": lambda forecast: forecast.mean,
    "lower": lambda forecast: forecast.lower(),
    "upper": lambda forecast: forecast.upper(),
}


class ForecastSpanProcessor(SpanProcessor):
    """Marks the series that calls came for; the timer calls :meth:`publish`. Users, tenants and other ids have no
    gauges of their own, since ids are no metrics; they count in the chance that a budget of theirs is passed.

    Args:
        feed: where the states of the series are.
        meter_provider: of the gauges; the application's by default.
        standings: how the budgets stand now.
    """

    def __init__(
        self,
        feed: Feed,
        meter_provider: metrics.MeterProvider | None = None,
        standings: Standings = lambda _: (),
    ) -> None:
        self._feed = feed
        self._standings = standings
        self._meter_provider = meter_provider
        self._marked: dict[str, OrderedDict[str, None]] = {}
        self._rounds = 0

    def mark(self, rows: Iterable[Row]) -> None:
        """Mark the series that sums of calls belong to."""
        for _, values, _ in rows:
            for kind, name in values.items():
                names = self._marked.setdefault(kind, OrderedDict())
                names[name] = None
                names.move_to_end(name)
                if len(names) > _MOST_MARKED:
                    names.popitem(last=False)

    def publish(self) -> None:
        """Show the forecasts of the month; every fourth time, as they move slowly."""
        self._rounds += 1
        instruments = present_instruments(self._meter_provider)
        if instruments is None or self._rounds % _EVERY != 1:
            return
        costs: list[tuple[float, dict[str, Any]]] = []
        chances: dict[str, float] = {}
        dropped = 0
        # Where the ledger can't be read, nothing is shown: better than what is old.
        with contextlib.suppress(LedgerFailure):
            dropped = self._feed.dropped()
            costs += self._months()
            for standing, forecast in self._windows():
                chance = forecast.p_exceed(standing.limit or 0.0)
                chances[standing.budget] = max(chance, chances.get(standing.budget, 0.0))
                if not standing.value:
                    costs += _bounds(forecast, {semconv.SCOPE_KIND: "budget", semconv.SCOPE_VALUE: standing.budget})
        instruments.series_dropped.show([(dropped, {})] if dropped else ())
        instruments.forecast_cost.show(costs)
        instruments.forecast_exceed.show((chance, {semconv.BUDGET_NAME: name}) for name, chance in chances.items())

    def _names(self, kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
        return ((kind, name) for kind in sorted(kinds) for name in self._marked[kind])

    def _windows(self) -> Iterable[tuple[Standing, Forecast]]:
        """The budgets' windows that end, each with its forecast; the total of a window is spent and held already."""
        asked = self._standings({kind: name} for kind, name in self._names(self._marked))
        ending = [each for each in asked if each.limit is not None and each.resets_at and each.verified]
        fixed = [each for each in ending if not each.window.startswith("rolling")]
        keys = {key_of(each.scope, each.value): None for each in fixed}
        states = self._feed.states(keys)
        now = self._feed.now()
        for each in fixed:
            state = states.get(key_of(each.scope, each.value))
            if state is not None and each.resets_at is not None:
                forecaster = restored(key_of(each.scope, each.value), state).forecaster
                forecast = forecaster.predict(each.resets_at, now, each.spent + each.held)
                if forecast.enough_history:
                    yield each, forecast

    def _months(self) -> Iterable[tuple[float, dict[str, Any]]]:
        now = self._feed.now()
        shown = self._names(OPEN_SCOPES.intersection(self._marked))
        marked = {key_of(kind, name): (kind, name) for kind, name in [("global", ""), *shown]}
        for key, state in self._feed.states(marked).items():
            kind, name = marked[key]
            series = restored(key, state)
            forecast = series.forecaster.predict(month_end(now), now, series.spent(now))
            if forecast.enough_history:
                scope = {semconv.SCOPE_KIND: kind} | ({semconv.SCOPE_VALUE: name} if name else {})
                yield from _bounds(forecast, scope)


def _bounds(forecast: Forecast, scope: dict[str, Any]) -> list[tuple[float, dict[str, Any]]]:
    return [(of(forecast), {**scope, semconv.BOUND: bound}) for bound, of in _BOUNDS.items()]
