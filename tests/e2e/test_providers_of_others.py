"""ddtrace and Logfire as the application's own providers: every call is recorded once, with its cost, and exported by
them. What they send goes to loopback receivers in place of their services."""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from e2e.otlp_receiver import Received, receiving
from e2e.programs import COST, run, write
from e2e.test_processes import assert_exact

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

DDTRACE = """
from opentelemetry import trace
from ddtrace.opentelemetry import TracerProvider
trace.set_tracer_provider(TracerProvider())
import ddtrace
import llmcost
llmcost.observe()
with trace.get_tracer("app").start_as_current_span("request"):
    calls(3)
llmcost.shutdown()
ddtrace.tracer.shutdown()
"""
LOGFIRE = """
import logfire
logfire.configure(send_to_logfire=False, console=False, service_name="app", sampling=logfire.SamplingOptions(head=HEAD))
import llmcost
llmcost.observe()
with logfire.span("request"):
    calls(3)
llmcost.shutdown()
logfire.shutdown()
"""


@dataclass
class Agent:
    """A stand-in for Datadog's agent: the bodies of the traces that it was sent."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)

    def doubles(self, value: float) -> int:
        """How often a number stands in the bodies: msgpack marks it by 0xcb, eight bytes follow."""
        return b"".join(self.bodies).count(b"\xcb" + struct.pack(">d", value))


class _AgentHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    agent: Agent

    def do_POST(self) -> None:
        self.agent.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self._answer(b"{}")

    def do_GET(self) -> None:
        self._answer(b'{"endpoints": ["/v0.5/traces"]}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Nothing: test output stays readable."""


@contextmanager
def agent() -> Iterator[Agent]:
    """Receive on a free port until the block ends."""
    found = Agent()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_AgentHandler,), {"agent": found}))
    server.daemon_threads = True
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ended(body: str, folder: Path, backend: Received, **more: str) -> None:
    """Run a program that exports to the receiver; its calls are in the local store."""
    ours = {"OTEL_EXPORTER_OTLP_ENDPOINT": backend.url, "LLMCOST_STORE": str(folder / ".llmcost")}
    env = {**ours, "NO_PROXY": "127.0.0.1,localhost", **more}
    done = run([sys.executable, write(folder, body)], folder, env=env, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_exact(folder, 3)


def test_ddtrace_sends_the_spans_with_cost_and_label_to_its_agent(tmp_path: Path) -> None:
    pytest.importorskip("ddtrace", reason="needs ddtrace (dependency group 'providers')")
    with agent() as datadog, receiving() as backend:
        quiet = dict.fromkeys(("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "DD_REMOTE_CONFIGURATION_ENABLED"), "false")
        url = {"DD_TRACE_AGENT_URL": f"http://127.0.0.1:{datadog.port}", "DD_TRACE_OTEL_ENABLED": "true"}
        ended(DDTRACE, tmp_path, backend, **quiet, **url)
    assert datadog.doubles(COST) == 3
    assert all(name in b"".join(datadog.bodies) for name in (b"llm.cost.total", b"llm.semantic_label"))
    assert not backend.spans, "the application's tracer provider is used, and no other"
    assert backend.deltas["llm.cost"] == pytest.approx(3 * COST)


@pytest.mark.parametrize("head", [1.0, 0.0], ids=["all traces", "no trace sampled"])
def test_logfire_sends_the_spans_with_the_cost_by_its_own_name_too(tmp_path: Path, head: float) -> None:
    pytest.importorskip("logfire", reason="needs logfire (dependency group 'providers')")
    with receiving() as backend:
        ended(LOGFIRE.replace("HEAD", str(head)), tmp_path, backend, LLMCOST_PROFILES="logfire")
    calls = [attributes for _, attributes in backend.spans if "llm.cost.total" in attributes]
    assert [call["operation.cost"] for call in calls] == pytest.approx([COST] * (3 if head else 0))
    assert backend.total("llm.cost") == pytest.approx(3 * COST), "whatever is sampled"
