"""What the exporters of llmcost's own providers send, and where to, as a receiver on loopback sees it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from e2e.otlp_receiver import Received, receiving
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, ConsoleMetricExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from llmcost.config import Config
from llmcost.exporters import metric_exporters, span_exporters
from llmcost.renewable import ForkedReader, RenewableExporter, RenewableProcessor

Environ = Mapping[str, str]
DELTA = AggregationTemporality.DELTA
CUMULATIVE = AggregationTemporality.CUMULATIVE
BOTH = {"/v1/traces", "/v1/metrics"}


@pytest.fixture
def receiver() -> Iterator[Received]:
    with receiving() as received:
        yield received


def environ(monkeypatch: pytest.MonkeyPatch, said: Environ, url: str = "") -> Environ:
    """The process's environment with these variables of OpenTelemetry and no others."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in said.items():
        monkeypatch.setenv(name, value.replace("URL", url))
    return os.environ


def send(config: Config, variables: Environ) -> None:
    """One span and one measurement through whatever is configured."""
    spans = span_exporters(config, variables)
    if spans:
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(RenewableProcessor(spans))
        tracers.get_tracer("test").start_span("chat").end()
        tracers.shutdown()
    measured = metric_exporters(config, variables)
    if measured:
        meters = MeterProvider([ForkedReader(RenewableExporter(measured))], shutdown_on_exit=False)
        meters.get_meter("test").create_counter("calls").add(3)
        meters.shutdown()


@pytest.mark.parametrize(
    ("said", "paths"),
    [
        ({}, set()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, BOTH),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL/"}, BOTH),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL/base"}, {"/base/v1/traces", "/base/v1/metrics"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "URL/own/metrics"}, {"/own/metrics"}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/own/traces"}, {"/own/traces"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "otlp_proto_http"}, BOTH),
    ],
)
def test_each_signal_goes_where_its_variables_say(
    monkeypatch: pytest.MonkeyPatch, receiver: Received, said: Environ, paths: set[str]
) -> None:
    send(Config(), environ(monkeypatch, said, receiver.url))
    assert {path for path, _ in receiver.headers} == paths


def test_the_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch, receiver: Received) -> None:
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_HEADERS": "x-a=1,x-b=2"}
    send(Config(endpoint=receiver.url, headers={"X-A": "given"}), environ(monkeypatch, said))
    assert {path for path, _ in receiver.headers} == BOTH
    assert {headers["x-a"] for _, headers in receiver.headers} == {"given"}


def test_each_signal_has_headers_of_its_own(monkeypatch: pytest.MonkeyPatch, receiver: Received) -> None:
    said = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "URL",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=general",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-key=metrics",
    }
    send(Config(), environ(monkeypatch, said, receiver.url))
    assert {path: headers["x-key"] for path, headers in receiver.headers} == {
        "/v1/traces": "general",
        "/v1/metrics": "metrics",
    }


@pytest.mark.parametrize(
    ("preference", "counter", "histogram"),
    [
        (None, DELTA, DELTA),
        ("delta", DELTA, DELTA),
        ("cumulative", CUMULATIVE, CUMULATIVE),
        ("lowmemory", DELTA, DELTA),
    ],
)
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_stated_temporality_wins_over_ours(
    monkeypatch: pytest.MonkeyPatch, protocol: str, preference: str | None, counter: Any, histogram: Any
) -> None:
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    if preference is not None:
        said["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = preference
    (exporter,) = metric_exporters(Config(), environ(monkeypatch, said))
    preferred = exporter._preferred_temporality
    assert preferred is not None
    assert (preferred[Counter], preferred[Histogram]) == (counter, histogram)


def test_the_protocol_of_one_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}
    variables = environ(monkeypatch, said)
    made = [*span_exporters(Config(), variables), *metric_exporters(Config(), variables)]
    assert [".grpc." in type(exporter).__module__ for exporter in made] == [False, True]


def test_the_console_is_honoured_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = environ(monkeypatch, {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"})
    made = [*span_exporters(Config(), variables), *metric_exporters(Config(), variables)]
    assert [type(exporter) for exporter in made] == [ConsoleSpanExporter, ConsoleMetricExporter]


def test_a_name_that_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    variables = environ(monkeypatch, {"OTEL_TRACES_EXPORTER": "pigeon"})
    with caplog.at_level(logging.WARNING, "llmcost"):
        assert span_exporters(Config(), variables) == []
    assert "OTEL_TRACES_EXPORTER=pigeon" in caplog.text
