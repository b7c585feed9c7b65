"""A signal's provider, set as the global one, whose exporters can be taken out and renewed.

OpenTelemetry takes a global provider once a process. So ours stay in place when llmcost is shut down, and what they
export to is renewed when it observes again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from llmcost.exporters import EXPORT_SECONDS
from llmcost.outage import Outage

_METRIC_INTERVAL_MS: Final = 10_000


class QuietSpanExporter(SpanExporter):
    """Exports to another, whose messages an outage holds back."""

    def __init__(self, inner: SpanExporter, outage: Outage) -> None:
        self._inner = inner
        self._outage = outage

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand them on."""
        with self._outage.during() as ended:
            result = self._inner.export(spans)
            ended(result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Stop."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is waiting."""
        return self._inner.force_flush(timeout_millis)


class RenewableProcessor(SpanProcessor):
    """Hands spans to processors that can be taken out and renewed while the provider stays."""

    def __init__(self, exporters: Sequence[SpanExporter]) -> None:
        self.outage: Final = Outage("traces")
        self.renew(exporters)

    def renew(self, exporters: Sequence[SpanExporter]) -> None:
        """Export to these from now on; to nothing where there are none."""
        inner = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
        for exporter in exporters:
            inner.add_span_processor(BatchSpanProcessor(QuietSpanExporter(exporter, self.outage)))
        self._inner = inner
        self.outage.unwatch()
        if exporters:
            self.outage.watch()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hand it on."""
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand it on."""
        self._inner.on_end(span)

    def shutdown(self) -> None:
        """Send what is waiting and stop, until it is renewed."""
        self._inner.shutdown()
        self.outage.unwatch()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is waiting."""
        return self._inner.force_flush(timeout_millis)


class RenewableExporter(MetricExporter):
    """Hands metrics to exporters that can be taken out and renewed. The temporality stays that of the first ones."""

    def __init__(self, exporters: Sequence[MetricExporter]) -> None:
        first = exporters[0]
        super().__init__(first._preferred_temporality, first._preferred_aggregation)  # noqa: SLF001 - as readers do
        self.outage: Final = Outage("metrics")
        self.renew(exporters)

    def renew(self, exporters: Sequence[MetricExporter]) -> None:
        """Export to these from now on; to nothing where there are none."""
        self.inner = tuple(exporters)
        self.outage.unwatch()
        if exporters:
            self.outage.watch()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Hand them on to all."""
        with self.outage.during() as ended:
            results = [exporter.export(metrics_data, timeout_millis, **kwargs) for exporter in self.inner]
            failed = MetricExportResult.FAILURE in results
            ended(not failed)
        return MetricExportResult.FAILURE if failed else MetricExportResult.SUCCESS

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop all."""
        for exporter in self.inner:
            exporter.shutdown(timeout_millis, **kwargs)
        self.outage.unwatch()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - export sends at once
        """Nothing waits."""
        return True


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


class TracesOut:
    """Traces: our tracer provider."""

    def __init__(self, exporters: Sequence[SpanExporter], resource: Resource) -> None:
        self._processor = RenewableProcessor(exporters)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        trace.set_tracer_provider(provider)
        self.flush: Final[Callable[[int], object]] = provider.force_flush
        self.outage: Final = self._processor.outage
        self.end: Final[Callable[[], None]] = provider.shutdown
        self.renew: Final[Callable[[Sequence[SpanExporter]], None]] = self._processor.renew

    @staticmethod
    def free() -> bool:
        """Whether nobody has set a tracer provider yet."""
        return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def pause(self) -> None:
        """Send what is waiting and stop the exporters."""
        self._processor.shutdown()


class MetricsOut:
    """Metrics: our meter provider."""

    def __init__(self, exporters: Sequence[MetricExporter], resource: Resource) -> None:
        self._exporter = RenewableExporter(exporters)
        interval = None if os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") else _METRIC_INTERVAL_MS
        self._reader = ForkedReader(self._exporter, interval, EXPORT_SECONDS * 1000)
        provider = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(provider)
        os.register_at_fork(after_in_child=self._reader.forget)
        self.flush: Final[Callable[[int], object]] = provider.force_flush
        self.outage: Final = self._exporter.outage
        self.end: Final[Callable[[], None]] = provider.shutdown

    @staticmethod
    def free() -> bool:
        """Whether nobody has set a meter provider yet."""
        return type(metrics.get_meter_provider()).__module__.startswith(metrics.__name__)

    def renew(self, exporters: Sequence[MetricExporter]) -> None:
        """Export to these from now on; to nothing where there are none."""
        self._exporter.renew(exporters)

    def pause(self) -> None:
        """Send what is waiting and stop the exporters."""
        leaving = self._exporter.inner
        self._reader.force_flush(EXPORT_SECONDS * 1000)
        for exporter in leaving:
            exporter.shutdown()
