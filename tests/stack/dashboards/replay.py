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
from stack.dashboards.history import HOURS, INCIDENT, NANO, STEP_S, Day, Values

from llmcost import semconv
from llmcost.calls import Call
from llmcost.processors.metrics import MetricsSpanProcessor

GAUGES: Final = (
    semconv.BUDGET_LIMIT,
    semconv.BUDGET_SPENT,
    semconv.BUDGET_RESERVED,
    semconv.BUDGET_USED_RATIO,
    semconv.FORECAST_COST,
    semconv.FORECAST_EXCEED,
)
COUNTERS: Final = (semconv.BUDGET_DECISIONS, semconv.ANOMALIES)
MONTH: Final = ("the month", "global", "", "monthly")
RESEARCH: Final = ("research a day", "label", "research", "daily")
SUPPORT: Final = ("support a day", "tenant", "", "daily")
LIMITS: Final = {MONTH: 500.0, RESEARCH: 28.0, SUPPORT: 19.0}
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
        self.values = {metric.name: Values(metric) for metric in (*GAUGES, *COUNTERS)}
        meter = self.provider.get_meter(semconv.SCOPE)
        for metric in GAUGES:
            meter.create_observable_gauge(metric.name, [self.values[metric.name].observe], metric.unit, metric.help)
        for metric in COUNTERS:
            meter.create_observable_counter(metric.name, [self.values[metric.name].observe], metric.unit, metric.help)

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
        self.total = 0.0

    def run(self) -> None:
        """Send the whole day."""
        blocked = False
        for minute in range(HOURS * 60):
            for name, call in self.day.minute(minute, blocked):
                self.services[name].see(call)
                self._book(name, call)
            blocked = self._stand(minute)
            if minute % EXPORT_EVERY == EXPORT_EVERY - 1 or minute < 2:
                self._send(self.start_ns + (minute + 1) * STEP_S * NANO)

    def _send(self, now_ns: int) -> None:
        for service in self.services.values():
            request = Request(self._url, service.export(now_ns))
            request.add_header("content-type", "application/x-protobuf")
            with urlopen(request, timeout=30) as answer:
                assert answer.status < 300

    def _book(self, name: str, call: Call) -> None:
        self.total += call.cost.total or 0.0
        spent = self.services["newsroom"].values[semconv.BUDGET_SPENT.name]
        applies = {MONTH: True, RESEARCH: call.label == "research", SUPPORT: name == "support-bot"}
        for which in (each for each, does in applies.items() if does):
            spent.add(call.cost.total or 0.0, *which)
        if call.budget_action == "block":
            self.services[name].values[semconv.BUDGET_DECISIONS.name].add(1, RESEARCH[0], "block", "block")

    def _stand(self, minute: int) -> bool:
        """Publish how budgets and forecast stand; whether the section's budget is used up."""
        values = self.services["newsroom"].values
        for which, limit in LIMITS.items():
            held = 0.02 + 0.03 * self.day.source.random()
            used = (values[semconv.BUDGET_SPENT.name].get(*which) + held) / limit
            values[semconv.BUDGET_LIMIT.name].set(limit, *which)
            values[semconv.BUDGET_RESERVED.name].set(held, *which)
            values[semconv.BUDGET_USED_RATIO.name].set(used, *which)
            if used > 0.8 and minute % 3 == 0:
                values[semconv.BUDGET_DECISIONS.name].add(1, which[0], "warn", "warn")
        self._foresee(minute)
        return values[semconv.BUDGET_SPENT.name].get(*RESEARCH) >= LIMITS[RESEARCH]

    def _foresee(self, minute: int) -> None:
        values = self.services["newsroom"].values
        rise = 45 * max(0, min(minute, INCIDENT.stop) - INCIDENT.start) / len(INCIDENT)
        width = 70 - minute / 60
        scopes = (("global", "", 1.0), ("label", "summarization", 0.3), ("label", "research", 0.4))
        for kind, which, scale in (*scopes, ("budget", MONTH[0], 1.0)):
            for bound, shift in (("lower", -width), ("median", 0.0), ("upper", 1.3 * width)):
                values[semconv.FORECAST_COST.name].set(scale * (410 + rise + shift), kind, which, bound)
        values[semconv.FORECAST_EXCEED.name].set(min(0.95, 0.08 + rise / 120), MONTH[0])
        reports = {INCIDENT.start + 12: "opened", INCIDENT.start + 40: "escalated", INCIDENT.stop + 20: "closed"}
        if minute in reports:
            severity = "medium" if reports[minute] == "opened" else "high"
            values[semconv.ANOMALIES.name].add(1, "label", reports[minute], severity, "model")
        if minute == HOURS * 60 - 90:
            values[semconv.ANOMALIES.name].add(1, "global", "opened", "low", "calls")
