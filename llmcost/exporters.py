"""The exporters of a signal, made as its variables say. Imported late, since exporters are heavy."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final, TypeVar, cast

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from llmcost.config import Config
from llmcost.signals import (
    GRPC,
    METRICS,
    OTLP_NAMES,
    TEMPORALITY,
    TRACES,
    Signal,
    endpoint_of,
    exporters_of,
    log,
    protocol_of,
)

E = TypeVar("E")

EXPORT_SECONDS: Final = 3
"""The time that one export may take, unless ``OTEL_EXPORTER_OTLP_TIMEOUT`` says otherwise."""

DELTA: Final[dict[type, AggregationTemporality]] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    ObservableCounter: AggregationTemporality.DELTA,
    UpDownCounter: AggregationTemporality.CUMULATIVE,
    ObservableUpDownCounter: AggregationTemporality.CUMULATIVE,
}
"""Money leaves as delta, unless the environment says otherwise: the sums of short-lived processes add up, which
cumulative counters lose."""


def span_exporters(config: Config, environ: Mapping[str, str]) -> list[SpanExporter]:
    """The exporters of traces; an empty list where none is configured."""
    return _made(TRACES, SpanExporter, config, environ)


def metric_exporters(config: Config, environ: Mapping[str, str]) -> list[MetricExporter]:
    """The exporters of metrics; an empty list where none is configured."""
    return _made(METRICS, MetricExporter, config, environ)  # type: ignore[type-abstract]


def _made(signal: Signal, kind: type[E], config: Config, environ: Mapping[str, str]) -> list[E]:
    made = [_exporter(signal, name, config, environ) for name in exporters_of(signal, config, environ)]
    found = [exporter for exporter in made if isinstance(exporter, kind)]
    if len(found) < len(made):
        said = environ.get(f"OTEL_{signal.name}_EXPORTER")
        log.warning("llmcost: OTEL_%s_EXPORTER=%s: not all of it can be set up here", signal.name, said)
    return found


def _exporter(signal: Signal, name: str, config: Config, environ: Mapping[str, str]) -> object:
    if name in OTLP_NAMES:
        return _otlp(signal, OTLP_NAMES[name], config, environ)
    for point in entry_points(group=signal.group, name=name):
        return point.load()()
    return None


def _otlp(signal: Signal, protocol: str | None, config: Config, environ: Mapping[str, str]) -> object:
    """What is not given here, the exporter reads from the signal's own variables."""
    endpoint = endpoint_of(signal, config, environ) or ""
    protocol = protocol or protocol_of(signal, endpoint, environ)
    given: dict[str, Any] = {}
    if config.endpoint:
        given["endpoint"] = endpoint if protocol == GRPC else f"{endpoint.rstrip('/')}/{signal.path}"
    if config.headers:
        given["headers"] = {name.lower(): value for name, value in config.headers.items()}
    if not signal.variable("TIMEOUT", environ):
        given["timeout"] = EXPORT_SECONDS
    if signal is METRICS and not environ.get(TEMPORALITY):
        given["preferred_temporality"] = DELTA
    module, _, name = signal.otlp[protocol].partition(":")
    return cast(object, getattr(importlib.import_module(module), name)(**given))
