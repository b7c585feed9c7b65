"""TraceQL is checked, not run: its grammar by Grafana's own parser, its attributes on spans that a real store holds."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.budgeting import MODEL, URL, Budgeted, body, budgeted
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from stack.dashboards.binaries import binary, tool
from stack.dashboards.jaeger import jaeger
from stack.dashboards.rows import queries

import llmcost
from grafana.query import TraceQL
from llmcost import semconv
from llmcost.insight.anomalies import GLOBAL, Anomaly
from llmcost.insight.causes import Change, Profile
from llmcost.processors.anomaly import attributes

pytestmark = pytest.mark.slow

SERVICE = "newsroom"
QUERIES = sorted({query.query for _, _, query in queries() if isinstance(query, TraceQL)})
ANSWER = {
    "id": "chatcmpl-1",
    "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "total_tokens": 1200,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 64},
    },
}
REFUSAL = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
USUAL = Profile(calls=10, call_cost=0.001, call_tokens=1200, errors=0, retries=0, model=MODEL)


def test_grafanas_grammar_takes_every_query(tmp_path: Path) -> None:
    file = tmp_path / "queries.traceql"
    file.write_text("\n".join(_filled_in(query) for query in QUERIES))
    command = ["node", str(tool("traceql-check", "check.mjs")), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{len(QUERIES)} passed, 0 failed" in done.stdout, done.stdout + done.stderr


def _filled_in(query: str) -> str:
    return re.sub(r"> \$\w+", "> 0.001", re.sub(r"\"\$\w+\"", '".*"', query))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """The spans of a program's calls, of all kinds that the dashboards ask for, as Jaeger holds them."""
    with jaeger(binary("jaeger"), tmp_path_factory.mktemp("jaeger")) as store:
        exporter = OTLPSpanExporter(endpoint=f"{store.otlp}/v1/traces")
        provider = TracerProvider(resource=Resource({"service.name": SERVICE}))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with budgeted(
            {"name": "tenants", "scope": "tenant", "daily": 0}, *_DEGRADING, tracer_provider=provider
        ) as under:
            _work(under, provider)
        provider.shutdown()
        yield store.spans(SERVICE)


_DEGRADING = ({"name": "small", "scope": "team", "daily": 0, "mode": "degrade", "fallbacks": {MODEL: ["gpt-5-nano"]}},)


def _work(under: Budgeted, provider: TracerProvider) -> None:
    """Calls that succeed, fail, are refused and degraded; an agent with a tool; a span of another instrumentation."""
    statuses = iter([200, 429, 200, 200, 200, 200])

    def answer(_: httpx.Request) -> httpx.Response:
        status = next(statuses)
        return httpx.Response(status, json=ANSWER if status == 200 else REFUSAL)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        with llmcost.context(user_id="u1", workflow_id="w1", agent="researcher"), llmcost.section("agent:researcher"):
            with llmcost.section("tool:web_search"):
                client.post(URL, json=body())
            client.post(URL, json=body())
        with llmcost.context(tenant="t1"):
            client.post(URL, json=body())
        with llmcost.context(team="a"):
            client.post(URL, json=body())
        tracer = provider.get_tracer("opentelemetry.instrumentation.openai")
        given = {semconv.OPERATION_NAME: "chat", semconv.PROVIDER_NAME: "openai", semconv.REQUEST_MODEL: MODEL}
        with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=given) as outer:
            client.post(URL, json=body())
            client.post(URL, json=body())
            outer.add_event(semconv.ANOMALY_EVENT_NAME, attributes(_incident()))


def _incident() -> Anomaly:
    dearer = Profile(calls=10, call_cost=0.01, call_tokens=1200, errors=0, retries=0, model="gpt-5.4")
    change = Change("model", MODEL, "gpt-5.4")
    return Anomaly("opened", 3600.0, 0.0, GLOBAL, 0.01, 0.1, 0.09, "medium", "model", change, USUAL, dearer)


def test_every_attribute_that_is_asked_for_stands_on_stored_spans(stored: list[dict[str, Any]]) -> None:
    on_spans = {tag["key"] for span in stored for tag in span["tags"]}
    on_events = {field["key"] for span in stored for log in span["logs"] for field in log["fields"]}
    asked = {word for query in QUERIES for word in re.findall(r"\bspan\.([a-z_.]+)", query)}
    asked_of_events = {word for query in QUERIES for word in re.findall(r"\bevent\.([a-z_.]+)", query)}
    assert asked - on_spans == set()
    assert asked_of_events - on_events == set()
    assert len(asked) > 15
    assert asked_of_events


def test_numbers_are_stored_as_numbers(stored: list[dict[str, Any]]) -> None:
    kinds = {tag["key"]: tag["type"] for span in stored for tag in span["tags"]}
    assert kinds[semconv.COST_TOTAL] == "float64"
    assert kinds[semconv.INPUT_TOKENS] == "int64"
    assert kinds[semconv.ATTEMPTS] == "int64"
