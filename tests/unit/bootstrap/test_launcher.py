"""What is done to the environment before ``opentelemetry-instrument`` starts a program."""

from __future__ import annotations

import pytest

from llmcost.bootstrap.launcher import keep_local

LOCAL = {"OTEL_TRACES_EXPORTER": "llmcost"}


def test_only_the_store_means_that_nothing_is_exported() -> None:
    environ = dict(LOCAL)
    keep_local(environ)
    assert environ == {**LOCAL, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_TRACES_EXPORTER": "llmcost,otlp"},
        {**LOCAL, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
        {**LOCAL, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318"},
        {**LOCAL, "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_LOGS_EXPORTER": "console"},
    ],
)
def test_what_the_user_chose_stays(environ: dict[str, str]) -> None:
    before = dict(environ)
    keep_local(environ)
    assert environ == before
