"""The instruments of one meter provider, and the running sums behind its counters.

A record of the SDK's costs as much as reading a response: it checks, copies and hashes all attributes anew. Counters
need none of that. Their sums are kept here by attribute set and shown to the SDK when it collects, which makes deltas
of them for the readers that want such. Histograms have no such way, so each call is recorded there, with its exemplar.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation

from llmcost import semconv
from llmcost.exchange.guard import internal_errors
from llmcost.processors.by_provider import ByProvider
from llmcost.semconv import Metric

Attributes = dict[str, Any]

LOCK: Final = threading.RLock()
"""Guards every sum. It is free after a fork, whoever held it; re-entrant, since a signal handler may make a call."""

os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release)


class Countable(Protocol):
    """Running totals that a forked child may have to begin anew."""

    def begin_anew(self) -> None:
        """Count from 0."""


counters: Final[weakref.WeakSet[Countable]] = weakref.WeakSet()
"""Everything that :func:`begin_anew` has to reach."""


class Sum:
    """The running sum of one attribute set. Add to it under :data:`LOCK`.

    ``context`` holds the span of the call that was added last, so that the exemplar of a collection points at it.
    """

    __slots__ = ("attributes", "context", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value: float = 0
        self.context: Context | None = None


class Sums:
    """The running sums of one counter."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._sums: dict[tuple[Any, ...], Sum] = {}
        counters.add(self)

    def of(self, values: Mapping[str, Any]) -> Sum:
        """The sum of the attribute set that the metric takes of these values; always the same object."""
        attributes = {name: values[name] for name in self.metric.attributes}
        with LOCK:
            return self._sums.setdefault(tuple(attributes.values()), Sum(attributes))

    def begin_anew(self) -> None:
        """Set every sum to 0."""
        with LOCK:
            for each in self._sums.values():
                each.value = 0

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """What the SDK asks for when it collects; sets that nothing was added to are left out."""
        with LOCK:
            return [
                Observation(each.value, each.attributes, each.context) for each in self._sums.values() if each.value
            ]


Totals = Mapping[tuple[Any, ...], float]
"""Running totals by the values of a metric's attributes."""


class Kept:
    """The running sums of one counter that are kept elsewhere, and read when the SDK collects.

    Args:
        metric: the counter.
        read: gives the totals, which only grow.
    """

    def __init__(self, metric: Metric, read: Callable[[], Totals]) -> None:
        self.metric = metric
        self._read = read
        self._before: Totals = {}
        counters.add(self)

    def begin_anew(self) -> None:
        """What is there by now belongs to the parent."""
        self._before = dict(self._read())

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """What the SDK asks for when it collects; as with :class:`Sums`, what is 0 is left out."""
        found = [(key, total - self._before.get(key, 0)) for key, total in self._read().items()]
        names = self.metric.attributes
        return [Observation(total, dict(zip(names, key, strict=True))) for key, total in found if total]


class Observed(Protocol):
    """What shows its totals when the SDK collects."""

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """The totals by now."""


class Backlog(Protocol):
    """What the local store could not write."""

    @property
    def waiting(self) -> int:
        """Calls that wait in memory."""

    @property
    def dropped(self) -> int:
        """Calls that were dropped; this never falls."""


class Gauge:
    """What a gauge shows: the numbers that were told last, by attribute set."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._shown: tuple[tuple[float, Attributes], ...] = ()

    def show(self, values: Iterable[tuple[float, Attributes]]) -> None:
        """Show these from now on, and nothing else."""
        self._shown = tuple(values)

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """What the SDK asks for when it collects."""
        return [Observation(value, attributes) for value, attributes in self._shown]


class Instruments:
    """All instruments of one meter provider."""

    def __init__(self, provider: metrics.MeterProvider) -> None:
        self._meter = provider.get_meter(semconv.SCOPE, schema_url=semconv.SCHEMA_URL)
        self.token_usage = self._histogram(semconv.TOKEN_USAGE)
        self.duration = self._histogram(semconv.OPERATION_DURATION)
        self.first_chunk = self._histogram(semconv.TIME_TO_FIRST_CHUNK)
        self.per_chunk = self._histogram(semconv.TIME_PER_OUTPUT_CHUNK)
        self.call_cost = self._histogram(semconv.CALL_COST)
        self.overhead = self._histogram(semconv.CALL_OVERHEAD)
        self.cost = self._sums(semconv.COST)
        self.calls = self._sums(semconv.CALLS)
        self.tokens = self._sums(semconv.TOKENS)
        self.tokens_cost = self._sums(semconv.TOKENS_COST)
        self.unpriced = self._sums(semconv.CALLS_UNPRICED)
        self.unseen = self._sums(semconv.CALLS_UNSEEN)
        self.adopted = self._sums(semconv.CALLS_ADOPTED)
        self.anomalies = self._sums(semconv.ANOMALIES)
        self.forecast_cost = self._gauge(semconv.FORECAST_COST)
        self.forecast_exceed = self._gauge(semconv.FORECAST_EXCEED)
        self.series_dropped = self._gauge(semconv.SERIES_DROPPED)
        self.backlog: Backlog | None = None
        self.users: Observed | None = None
        self._observed(semconv.USER_COST, lambda asked: () if self.users is None else self.users.observe(asked))
        waiting = semconv.STORE_WAITING
        self._meter.create_observable_gauge(waiting.name, [self._waiting], waiting.unit, waiting.help)
        for kept in (Kept(semconv.STORE_DROPPED, self._dropped), Kept(semconv.INTERNAL_ERRORS, _errors)):
            self._observed(kept.metric, kept.observe)

    def _histogram(self, metric: Metric) -> metrics.Histogram:
        return self._meter.create_histogram(
            metric.name, metric.unit, metric.help, explicit_bucket_boundaries_advisory=list(metric.buckets)
        )

    def _sums(self, metric: Metric) -> Sums:
        sums = Sums(metric)
        self._observed(metric, sums.observe)
        return sums

    def _gauge(self, metric: Metric) -> Gauge:
        gauge = Gauge(metric)
        self._meter.create_observable_gauge(metric.name, [gauge.observe], metric.unit, metric.help)
        return gauge

    def _waiting(self, _: CallbackOptions) -> Iterable[Observation]:
        return [] if self.backlog is None else [Observation(self.backlog.waiting)]

    def _dropped(self) -> Totals:
        return {} if self.backlog is None else {(): self.backlog.dropped}

    def _observed(self, metric: Metric, callback: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
        self._meter.create_observable_counter(metric.name, [callback], metric.unit, metric.help)


_instruments: Final = ByProvider(Instruments)
"""Made once for each: the SDK ignores the callback of a counter made again."""


def instruments_of(provider: metrics.MeterProvider) -> Instruments:
    """The instruments of a meter provider."""
    return _instruments.of(provider)


def begin_anew() -> None:
    """Let all counters start from 0: for a forked child whose readers are cumulative, since what was counted before the
    fork is the parent's. Readers of deltas need no such thing, and would take it for a fall."""
    for each in list(counters):
        each.begin_anew()


def present_instruments(given: metrics.MeterProvider | None) -> Instruments | None:
    """The instruments of the provider given, else of the one that is set now; None where there is only the API's,
    which does nothing."""
    provider = given or metrics.get_meter_provider()
    nothing = type(provider).__module__.startswith(metrics.__name__)
    return None if nothing else instruments_of(provider)


def _errors() -> Totals:
    return {(place,): count for place, count in list(internal_errors.items())}
