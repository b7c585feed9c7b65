"""Which signal is exported where, by the variables of the OpenTelemetry specification."""

from __future__ import annotations

import logging

import pytest

from llmcost.config import Config
from llmcost.signals import METRICS, TRACES, endpoint_of, exported, exporters_of, kept, profiles_of, protocol_of

GENERAL = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:4318"}
OF_METRICS = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://metrics:4318/v1/metrics"}
OF_TRACES = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:4318/v1/traces"}


@pytest.mark.parametrize(
    ("argument", "environ", "traces", "metrics"),
    [
        (None, {}, None, None),
        ("http://given:1", {}, "http://given:1", "http://given:1"),
        (None, GENERAL, "http://general:4318", "http://general:4318"),
        (None, OF_METRICS, None, "http://metrics:4318/v1/metrics"),
        (None, OF_TRACES, "http://traces:4318/v1/traces", None),
        (None, GENERAL | OF_TRACES, "http://traces:4318/v1/traces", "http://general:4318"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, None, None),
    ],
)
def test_an_endpoint_is_the_arguments_or_the_signals_own_or_the_general_one(
    argument: str | None, environ: dict[str, str], traces: str | None, metrics: str | None
) -> None:
    config = Config(endpoint=argument)
    assert (endpoint_of(TRACES, config, environ), endpoint_of(METRICS, config, environ)) == (traces, metrics)


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, (), ()),
        (GENERAL, ("otlp",), ("otlp",)),
        (OF_METRICS, (), ("otlp",)),
        (OF_TRACES, ("otlp",), ()),
        (GENERAL | {"OTEL_TRACES_EXPORTER": "none"}, (), ("otlp",)),
        (GENERAL | {"OTEL_METRICS_EXPORTER": "none"}, ("otlp",), ()),
        (GENERAL | {"OTEL_TRACES_EXPORTER": ""}, ("otlp",), ("otlp",)),
        (GENERAL | {"OTEL_TRACES_EXPORTER": "console, otlp,otlp"}, ("console", "otlp"), ("otlp",)),
        (GENERAL | {"OTEL_TRACES_EXPORTER": "llmcost,otlp_proto_grpc"}, ("otlp_proto_grpc",), ("otlp",)),
        (GENERAL | {"OTEL_TRACES_EXPORTER": "llmcost"}, (), ("otlp",)),
        (GENERAL | {"OTEL_SDK_DISABLED": "true"}, (), ()),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "otlp"}, ("console",), ()),
    ],
)
def test_the_exporters_of_a_signal(environ: dict[str, str], traces: tuple[str, ...], metrics: tuple[str, ...]) -> None:
    config = Config()
    assert (exporters_of(TRACES, config, environ), exporters_of(METRICS, config, environ)) == (traces, metrics)
    assert exported(config, environ) == bool(traces or metrics)
    assert kept(config, environ) == bool({*traces, *metrics} - {"console"})


@pytest.mark.parametrize(
    ("endpoint", "environ", "expected"),
    [
        ("http://collector:4317", {}, "grpc"),
        ("collector:4317", {}, "grpc"),
        ("http://collector:4318", {}, "http/protobuf"),
        ("http://collector:port", {}, "http/protobuf"),
        ("http://collector:4317", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http/protobuf"),
        ("http://collector:4318", {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "grpc"),
        ("http://collector:4318", {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, "http/protobuf"),
        (
            "http://collector:4318",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "http/protobuf",
        ),
    ],
)
def test_the_protocol(endpoint: str, environ: dict[str, str], expected: str) -> None:
    assert protocol_of(TRACES, endpoint, environ) == expected


def test_a_protocol_that_is_not_known_is_said_and_left_aside(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "llmcost"):
        assert protocol_of(TRACES, "http://c:4318", {"OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"}) == "http/protobuf"
    assert "'pigeon' is none of grpc, http/protobuf" in caplog.text


@pytest.mark.parametrize(
    ("endpoint", "profiles", "written"),
    [
        (None, (), ()),
        ("http://collector:4318", (), ()),
        ("https://cloud.langfuse.com/api/public/otel", (), ("langfuse",)),
        ("http://own.example:3000/api/public/otel/", (), ("langfuse",)),
        ("https://cloud.langfuse.com/api/public/otel", ("openlit",), ("openlit",)),
        ("http://collector:4318", ("langfuse",), ("langfuse",)),
    ],
)
def test_langfuse_is_told_costs_by_its_own_name_unless_others_are_set(
    endpoint: str | None, profiles: tuple[str, ...], written: tuple[str, ...]
) -> None:
    assert profiles_of(Config(endpoint=endpoint, profiles=profiles), {}) == written
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint} if endpoint else {}
    assert profiles_of(Config(profiles=profiles), environ) == written
