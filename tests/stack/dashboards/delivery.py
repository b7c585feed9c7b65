"""What the SDK of the programs and the collector would say of the way to the stores, with a collector that is away for
a while. The names are of the table in semconv; that the real ones have them is asked of a running stack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider

from llmcost import semconv

AWAY: Final = range(11 * 60, 11 * 60 + 20)
"""Minutes without a collector."""
QUEUE: Final = 2048
"""The longest queue of spans; the SDK's default."""
_PROCESSOR: Final = {"otel.component.name": "batching_span_processor/0"}
_FULL: Final = {**_PROCESSOR, semconv.ERROR_TYPE: "queue_full"}


class QueueOfSpans:
    """The SDK's own metrics of a program: spans that wait, and those that were dropped since too many did."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("opentelemetry-sdk")
        size, left = semconv.SDK_QUEUE_SIZE, semconv.SDK_SPANS_PROCESSED
        meter.create_observable_up_down_counter(size.name, [self._size], size.unit)
        self._left = meter.create_counter(left.name, left.unit)
        self._waiting = 0

    def minute(self, minute: int, spans: int) -> None:
        """So many spans ended in a minute."""
        if minute not in AWAY:
            self._left.add(self._waiting + spans, _PROCESSOR)
            self._waiting = spans // 12
            return
        dropped = max(self._waiting + spans - QUEUE, 0)
        self._waiting += spans - dropped
        if dropped:
            self._left.add(dropped, _FULL)

    def _size(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._waiting, _PROCESSOR)]


class Collector:
    """The collector's metrics of itself, which are not scraped while it is away."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("otelcol")
        taken, failed, queue = semconv.COLLECTOR_RECEIVED, semconv.COLLECTOR_FAILED, semconv.COLLECTOR_QUEUE_SIZE
        self._taken = meter.create_counter(taken.name, taken.unit)
        self._failed = meter.create_counter(failed.name, failed.unit)
        meter.create_observable_gauge(queue.name, [self._queue], queue.unit)
        self._waiting = 0

    def minute(self, minute: int, points: int) -> None:
        """So many points came in a minute. The store behind it is slow for a quarter of an hour after the outage."""
        slow = 0 <= minute - AWAY.stop < 15
        self._taken.add(0 if minute in AWAY else points, {"receiver": "otlp"})
        self._failed.add(points // 50 if slow else 0, {"exporter": "prometheus"})
        self._waiting = 4 if slow else 0

    def _queue(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._waiting, {"exporter": "otlp_http/traces"})]
