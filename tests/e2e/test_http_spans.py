"""The network leg: kept as the application has it, switched on, or switched off for providers."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from contract.observed import Observed, observed
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan

import llmcost

pytestmark = pytest.mark.e2e

ANSWER = (
    b'{"id":"c","model":"gpt-5-mini","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)


@contextmanager
def provider() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A provider that notes the headers it is sent."""
    sent: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            sent.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


BODY = {"model": "gpt-5-mini", "messages": []}


def post(module: str, url: str) -> None:
    with importlib.import_module(module).Client() as client:
        client.post(url + "/v1/chat/completions?key=secret", json=BODY)


def apost(module: str, url: str) -> None:
    async def send() -> None:
        async with importlib.import_module(module).AsyncClient() as client:
            await client.post(url + "/v1/chat/completions?key=secret", json=BODY)

    asyncio.run(send())


Send = Callable[[str, str], None]
WAYS = pytest.mark.parametrize("send", [post, apost], ids=["sync", "async"])
MODULES = pytest.mark.parametrize("module", ["httpx", "httpx2"])


def legs(seen: Observed) -> list[ReadableSpan]:
    return [span for span in seen.spans if (span.instrumentation_scope or span).name != "llmcost"]


def hosts(url: str) -> dict[str, str]:
    return {url.removeprefix("http://"): "openai"}


@WAYS
@MODULES
def test_on_makes_a_child_span_with_the_label_and_no_query(module: str, send: Send) -> None:
    pytest.importorskip(module)
    with provider() as (url, sent), observed(hosts=hosts(url), http_spans="on") as seen, llmcost.label("billing"):
        send(module, url)
        (leg,) = legs(seen)
        (call,) = [span for span in seen.spans if span is not leg]
        assert leg.parent is not None
        assert leg.parent.span_id == call.get_span_context().span_id  # type: ignore[union-attr]
        attributes = dict(leg.attributes or {})
        assert attributes["llm.semantic_label"] == "billing"
        assert "llm.cost.total" not in attributes
        assert "secret" not in leg.to_json()
        assert "traceparent" in sent[0]


@WAYS
@MODULES
@pytest.mark.parametrize("instrumented", [False, True])
def test_off_sends_no_traceparent_and_makes_no_span(module: str, send: Send, instrumented: bool) -> None:
    pytest.importorskip(module)
    with (
        provider() as (url, sent),
        observed(hosts=hosts(url), http_spans="off") as seen,
        application_instruments(module, seen, on=instrumented),
    ):
        send(module, url)
        assert legs(seen) == []
        assert len(seen.calls) == 1
        assert "traceparent" not in sent[0]


@WAYS
@MODULES
@pytest.mark.parametrize("instrumented", [False, True])
def test_keep_leaves_what_the_application_has(module: str, send: Send, instrumented: bool) -> None:
    pytest.importorskip(module)
    with (
        provider() as (url, sent),
        observed(hosts=hosts(url), http_spans="keep") as seen,
        application_instruments(module, seen, on=instrumented),
    ):
        send(module, url)
        assert len(legs(seen)) == int(instrumented)
        assert ("traceparent" in sent[0]) == instrumented
        assert len(seen.calls) == 1


@contextmanager
def application_instruments(module: str, seen: Observed, *, on: bool) -> Iterator[None]:
    """The application's own instrumentation of the client, where it has one."""
    if not on:
        yield
        return
    found = importlib.import_module("opentelemetry.instrumentation.httpx")
    made = HTTPXClientInstrumentor() if module == "httpx" else found.HTTPX2ClientInstrumentor()
    made.instrument(tracer_provider=seen.provider)
    try:
        yield
    finally:
        made.uninstrument()
