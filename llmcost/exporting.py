"""Providers and exporters, set up only where the application has none and an endpoint is configured."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import wrapt
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from llmcost.config import Config

GRPC_PORT: Final = 4317
SHUTDOWN_SECONDS: Final = 5.0
"""The longest that the end of the program waits for traces and metrics together, in parallel."""

_EXPORT_SECONDS: Final = 3
_METRIC_INTERVAL_MS: Final = 10_000

DELTA: Final[dict[type, AggregationTemporality]] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    ObservableCounter: AggregationTemporality.DELTA,
    UpDownCounter: AggregationTemporality.CUMULATIVE,
    ObservableUpDownCounter: AggregationTemporality.CUMULATIVE,
}
"""Money leaves as delta: the sums of short-lived processes add up, which cumulative counters lose."""


def has_provider() -> bool:
    """Whether the application, or its launcher, has set a tracer provider already."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


class ForkedReader(PeriodicExportingMetricReader):
    """A reader whose forked children start from zero: what was measured before the fork is reported by the parent."""

    _forgetting = False

    def forget(self) -> None:
        """Drop everything that was measured and not yet exported."""
        self._forgetting = True
        try:
            self.collect()
        finally:
            self._forgetting = False

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        if not self._forgetting:
            super()._receive_metrics(metrics_data, timeout_millis, **kwargs)


class Exporting:
    """The providers that llmcost set up itself, with their end.

    Attributes:
        tracer_provider: set as the global one.
        meter_provider: likewise.
    """

    def __init__(self, config: Config, endpoint: str) -> None:
        resource = Resource.create({"service.name": config.service_name} if config.service_name else {})
        spans, measured = _exporters(config, endpoint)
        self.tracer_provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(BatchSpanProcessor(spans))
        self.reader = ForkedReader(
            measured, export_interval_millis=_METRIC_INTERVAL_MS, export_timeout_millis=_EXPORT_SECONDS * 1000
        )
        self.meter_provider = MeterProvider([self.reader], resource=resource, shutdown_on_exit=False)
        trace.set_tracer_provider(self.tracer_provider)
        metrics.set_meter_provider(self.meter_provider)
        atexit.register(self.shutdown)
        os.register_at_fork(after_in_child=self.reader.forget)
        wrapt.register_post_import_hook(self._end_of_workers, "multiprocessing.util")

    def force_flush(self, seconds: float = SHUTDOWN_SECONDS) -> None:
        """Send what is waiting, traces and metrics in parallel."""
        millis = int(seconds * 1000)
        _in_parallel(
            seconds,
            lambda: self.tracer_provider.force_flush(millis),
            lambda: self.meter_provider.force_flush(millis),
        )

    def shutdown(self) -> None:
        """Send what is waiting and stop, within :data:`SHUTDOWN_SECONDS` also where nobody answers."""
        atexit.unregister(self.shutdown)
        _in_parallel(SHUTDOWN_SECONDS, self.tracer_provider.shutdown, self.meter_provider.shutdown)

    def _end_of_workers(self, util: ModuleType) -> None:
        """Processes of multiprocessing end without ``atexit``; they run finalizers, which each has of its own."""
        util.register_after_fork(self, lambda me: util.Finalize(me, me.shutdown, exitpriority=0))


def _in_parallel(seconds: float, *works: Callable[[], Any]) -> None:
    """Run all at once and wait for them together. Python 3.12 starts no thread once the interpreter ends: then one
    after the other, each within its exporter's own time."""
    deadline = time.monotonic() + seconds
    threads = []
    for work in works:
        thread = threading.Thread(target=work, daemon=True, name="llmcost-export")
        try:
            thread.start()
        except RuntimeError:
            work()
        else:
            threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _exporters(config: Config, endpoint: str) -> tuple[SpanExporter, MetricExporter]:
    """GRPC where the protocol or the port says so, else HTTP; imported late, since gRPC is heavy."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    headers = dict(config.headers) or None
    if protocol == "grpc" or (not protocol and urlsplit(endpoint).port == GRPC_PORT):
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans

        common: dict[str, Any] = {"endpoint": endpoint, "headers": headers, "timeout": _EXPORT_SECONDS}
        return GrpcSpans(**common), GrpcMetrics(**common, preferred_temporality=DELTA)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans

    base = config.endpoint.rstrip("/") if config.endpoint else None
    common = {"headers": headers, "timeout": _EXPORT_SECONDS}
    return (
        HttpSpans(endpoint=f"{base}/v1/traces" if base else None, **common),
        HttpMetrics(endpoint=f"{base}/v1/metrics" if base else None, **common, preferred_temporality=DELTA),
    )


def flush_on_sigterm(flush: Callable[[], None]) -> bool:
    """Flush when the process is told to end, where the program left SIGTERM alone; then end as it would have.

    A handler of the program is never replaced, and the exit status stays that of a process killed by SIGTERM.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False

    def handler(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        flush()
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handler)
    return True
