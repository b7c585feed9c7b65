"""The made-up day as OTLP, each minute's metrics with the time of that minute."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.request import Request, urlopen

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import Aggregation
from opentelemetry.sdk.resources import Resource
from stack.dashboards.delivery import Collector, QueueOfSpans
from stack.dashboards.history import DISK_FULL, HOURS, NANO, STEP_S, Day, of_a_user, refused
from stack.dashboards.world import World

from llmcost.calls import Call
from llmcost.control import Verdict
from llmcost.exchange.watch import EVERY
from llmcost.processors.metrics import MetricsSpanProcessor
from llmcost.processors.sums import CallSums, Row

Aggregations = dict[type, Aggregation]

TOP_USERS: Final = 10
SPANS_A_MINUTE: Final = 240
POINTS_A_MINUTE: Final = 900
EXPORT_EVERY: Final = 2
"""Minutes between two exports."""


@dataclass
class Disk:
    """What the local store of a program could not write."""

    waiting: int = 0
    dropped: int = 0


class Sender:
    """One program's meter provider, and what it exports.

    Args:
        name: of the service.
        aggregations: of histograms, by the class of the instrument; the classic ones by default.
    """

    def __init__(self, name: str, aggregations: Aggregations | None = None) -> None:
        self.reader = InMemoryMetricReader(preferred_aggregation=aggregations)
        resource = Resource({"service.name": name, "deployment.environment.name": "production"})
        self.provider = MeterProvider([self.reader], resource=resource, exemplar_filter=TraceBasedExemplarFilter())
        self._started: dict[tuple[str, str], int] = {}
        self._last_ns = 0

    def export(self, now_ns: int) -> bytes:
        """What reaches Prometheus at that time: cumulative, and each series starts with the delta that began it."""
        collected = self.reader.get_metrics_data()
        assert collected is not None
        message = encode_metrics(collected)
        for name, point in _points(message):
            point.time_unix_nano = now_ns
            if point.start_time_unix_nano:
                series = name, str(point.attributes)
                point.start_time_unix_nano = self._started.setdefault(series, self._last_ns or now_ns - STEP_S * NANO)
            for exemplar in getattr(point, "exemplars", ()):
                exemplar.time_unix_nano = now_ns - NANO
        self._last_ns = now_ns
        return bytes(message.SerializeToString())


class Service(Sender):
    """A program with llmcost's processor over its meter provider."""

    def __init__(self, name: str, aggregations: Aggregations | None = None) -> None:
        super().__init__(name, aggregations)
        self.disk = Disk()
        self.processor = MetricsSpanProcessor(self.provider, self.disk, users=TOP_USERS)
        self.queue = QueueOfSpans(self.provider)
        self._took = random.Random(name)

    def see(self, call: Call) -> None:
        """Show a call to the processor, as the flow does, and for one in many how long that took."""
        self.processor.observe(call, _context(call))
        if int(call.id, 16) % EVERY == 0:
            self.processor.overhead(60e-6 * self._took.lognormvariate(0, 0.6))


def _points(message: Any) -> Iterator[tuple[str, Any]]:
    for resource in message.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    yield metric.name, point


def _context(call: Call) -> Context | None:
    """One call in twenty has a sampled span, so that exemplars are made."""
    number = int(call.id, 16)
    if number % 20:
        return None
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.set_span_in_context(
        trace.NonRecordingSpan(trace.SpanContext(number << 64 | 1, number, is_remote=False, trace_flags=flags))
    )


class Replay:
    """The day, sent to the OTLP receiver of a Prometheus.

    Args:
        url: of Prometheus.
        end_ns: Unix time at which the day ends.
        aggregations: see :class:`Sender`.
    """

    def __init__(self, url: str, end_ns: int, aggregations: Aggregations | None = None) -> None:
        self._url = f"{url}/api/v1/otlp/v1/metrics"
        self.start_ns = end_ns - HOURS * 3600 * NANO
        self.day = Day(self.start_ns)
        self.services = {name: Service(name, aggregations) for name in ("newsroom", "support-bot")}
        self.collector = Sender("otelcol")
        self.of_collector = Collector(self.collector.provider)
        self._flying: list[tuple[float, int, str, Call, Verdict]] = []
        self.world = World(self.start_ns / 1e9, _usual(self.start_ns), self.services["newsroom"].provider)
        self.total = 0.0

    def run(self) -> None:
        """Send the whole day."""
        for minute in range(HOURS * 60):
            now_ns = self.start_ns + (minute + 1) * STEP_S * NANO
            for name, call in sorted(self.day.minute(minute), key=lambda made: made[1].started_ns):
                self._take(name, call)
            self._land(now_ns / 1e9)
            self._around(minute)
            self.world.minute(now_ns / 1e9)
            if minute % EXPORT_EVERY == EXPORT_EVERY - 1 or minute < 2:
                self._send(now_ns)

    def _take(self, name: str, call: Call) -> None:
        """Put a call before the budgets; it is in flight until it ends."""
        self._land(call.started_ns / NANO)
        verdict = self.world.ask(call)
        if verdict.action == "block":
            call = refused(call, next(each.budget for each in verdict.decisions if each.action == "block"))
        end = call.started_ns / NANO + call.duration
        heapq.heappush(self._flying, (end, int(call.id, 16), name, call, verdict))

    def _land(self, now: float) -> None:
        """Show to llmcost how the calls ended that are over by now."""
        while self._flying and self._flying[0][0] <= now:
            _, _, name, call, verdict = heapq.heappop(self._flying)
            self.world.see(call, verdict)
            self.services[name].see(of_a_user(call) if name == "support-bot" else call)
            self.total += call.cost.total or 0.0

    def _around(self, minute: int) -> None:
        """A disk that is full makes calls wait; a collector that is away makes spans wait."""
        self.services["support-bot"].disk.waiting = 8 * (minute - DISK_FULL.start) if minute in DISK_FULL else 0
        for service in self.services.values():
            service.queue.minute(minute, SPANS_A_MINUTE)
        self.of_collector.minute(minute, POINTS_A_MINUTE)

    def _send(self, now_ns: int) -> None:
        for service in (*self.services.values(), self.collector):
            request = Request(self._url, service.export(now_ns))
            request.add_header("content-type", "application/x-protobuf")
            with urlopen(request, timeout=30) as answer:
                assert answer.status < 300


def _usual(start_ns: int) -> list[Row]:
    """The sums of such a day without incidents."""
    sums, day = CallSums(("tenant",)), Day(start_ns, incidents=False)
    for minute in range(HOURS * 60):
        for _, call in day.minute(minute):
            sums.add(call)
    return sums.drain()
