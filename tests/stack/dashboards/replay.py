"""The made-up day as OTLP, each minute's metrics with the time of that minute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.request import Request, urlopen

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from stack.dashboards.history import HOURS, NANO, STEP_S, Day, refused
from stack.dashboards.world import World

from llmcost.calls import Call
from llmcost.processors.metrics import MetricsSpanProcessor
from llmcost.processors.sums import CallSums, Row

EXPORT_EVERY: Final = 2
"""Minutes between two exports."""


class Service:
    """One program: its meter provider, and llmcost's processor over it."""

    def __init__(self, name: str) -> None:
        self.reader = InMemoryMetricReader()
        resource = Resource({"service.name": name, "deployment.environment.name": "production"})
        self.provider = MeterProvider([self.reader], resource=resource, exemplar_filter=TraceBasedExemplarFilter())
        self.processor = MetricsSpanProcessor(self.provider)
        self._started: dict[tuple[str, str], int] = {}
        self._last_ns = 0

    def see(self, call: Call) -> None:
        """Show a call to the processor, as the flow does."""
        self.processor.observe(call, _context(call))

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
    """

    def __init__(self, url: str, end_ns: int) -> None:
        self._url = f"{url}/api/v1/otlp/v1/metrics"
        self.start_ns = end_ns - HOURS * 3600 * NANO
        self.day = Day(self.start_ns)
        self.services = {name: Service(name) for name in ("newsroom", "support-bot")}
        self.world = World(self.start_ns / 1e9, _usual(self.start_ns), self.services["newsroom"].provider)
        self.total = 0.0

    def run(self) -> None:
        """Send the whole day."""
        for minute in range(HOURS * 60):
            now_ns = self.start_ns + (minute + 1) * STEP_S * NANO
            for name, call in self.day.minute(minute):
                self._take(name, call)
            self.world.minute(now_ns / 1e9)
            if minute % EXPORT_EVERY == EXPORT_EVERY - 1 or minute < 2:
                self._send(now_ns)

    def _take(self, name: str, call: Call) -> None:
        """Put a call before the budgets, and show to llmcost how it ended."""
        verdict = self.world.ask(call)
        if verdict.action == "block":
            call = refused(call, next(each.budget for each in verdict.decisions if each.action == "block"))
        self.world.see(call, verdict)
        self.services[name].see(call)
        self.total += call.cost.total or 0.0

    def _send(self, now_ns: int) -> None:
        for service in self.services.values():
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
