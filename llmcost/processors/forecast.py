"""Forecasts as gauges: of the whole program, of the labels and models seen by this process, and of the budgets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.sdk.trace import SpanProcessor

from llmcost import semconv
from llmcost.control.feed import Feed, key_of
from llmcost.control.ledger import LedgerFailure
from llmcost.insight import Forecast
from llmcost.insight.foresight import month_end, restored
from llmcost.processors.instruments import present_instruments
from llmcost.processors.sums import Row

_MOST_SHOWN: Final = 100
"""Labels and models that gauges are shown for: those called last."""
_SHOWN: Final = ("label", "model")
_EVERY: Final = 4
_BOUNDS: Final[Mapping[str, Callable[[Forecast], float]]] = {
    "median": lambda forecast: forecast.mean,
    "lower": lambda forecast: forecast.lower(),
    "upper": lambda forecast: forecast.upper(),
}


class ForecastSpanProcessor(SpanProcessor):
    """Marks the series that calls came for; the timer calls :meth:`publish`. Users have no gauges: their
    ids are no metrics.

    Args:
        feed: where the states of the series are.
        meter_provider: of the gauges; the application's by default.
    """

    def __init__(self, feed: Feed, meter_provider: metrics.MeterProvider | None = None) -> None:
        self._feed = feed
        self._meter_provider = meter_provider
        self._marked: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._rounds = 0

    def mark(self, rows: Iterable[Row]) -> None:
        """Mark the series that sums of calls belong to."""
        for _, values, _ in rows:
            for kind in _SHOWN:
                self._marked[kind, values[kind]] = None
                self._marked.move_to_end((kind, values[kind]))
        while len(self._marked) > _MOST_SHOWN:
            self._marked.popitem(last=False)

    def publish(self) -> None:
        """Show the forecasts of the month; every fourth time, as they move slowly."""
        self._rounds += 1
        instruments = present_instruments(self._meter_provider)
        if instruments is None or self._rounds % _EVERY != 1:
            return
        try:
            instruments.forecast_cost.show(self._months())
        except LedgerFailure:
            instruments.forecast_cost.show(())  # nothing is better than what is old

    def _months(self) -> Iterable[tuple[float, dict[str, Any]]]:
        now = self._feed.now()
        marked = {key_of(kind, name): (kind, name) for kind, name in [("global", ""), *self._marked]}
        for key, state in self._feed.states(marked).items():
            kind, name = marked[key]
            series = restored(key, state)
            forecast = series.forecaster.predict(month_end(now), now, series.spent(now))
            if forecast.enough_history:
                for bound, of in _BOUNDS.items():
                    scope = {semconv.SCOPE_KIND: kind} | ({semconv.SCOPE_VALUE: name} if name else {})
                    yield of(forecast), {**scope, semconv.BOUND: bound}
