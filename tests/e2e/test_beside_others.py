"""``opentelemetry-instrument`` as users start it, alone and beside the instrumentations of others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from e2e.installed import INSTRUMENT, REPOSITORY, entry_points_on_path
from e2e.loopback import Provider, serving
from e2e.otlp_receiver import Received, receiving
from e2e.programs import environment
from e2e.sdks import IN, OUT, SDKS
from e2e.test_processes import report

pytestmark = pytest.mark.e2e

ROWS = {sdk.name: sdk for sdk in SDKS if sdk.name in ("openai", "anthropic")}
WAYS = 4
"""Calls of each SDK: sync, stream, async, async stream."""

PROGRAM = """
import asyncio, importlib, json, sys
from e2e.sdks import SDKS
urls, instrumentors = (json.loads(text) for text in sys.argv[1:])
for spec in instrumentors:
    module, name = spec.split(":")
    getattr(importlib.import_module(module), name)().instrument()
async def read(sdk, url):
    return [chunk async for chunk in sdk.aask_stream(url, sdk.model)]
def questions(sdk, url):
    sdk.ask(url, sdk.model)
    assert list(sdk.ask_stream(url, sdk.model))
    asyncio.run(sdk.aask(url, sdk.model))
    assert asyncio.run(read(sdk, url))
for sdk in SDKS:
    if sdk.name in urls:
        questions(sdk, urls[sdk.name])
"""


@dataclass(frozen=True)
class Peer:
    """Instrumentations of one maker, switched on by the program itself: all use the same names of entry points."""

    name: str
    openai: str
    anthropic: str

    @property
    def present(self) -> bool:
        """Whether both are installed."""
        return all(_found(spec.split(":")[0]) for spec in self.specs)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The instrumentation scopes of its spans."""
        return tuple(spec.split(":")[0] for spec in self.specs) or ("llmcost",)

    @property
    def specs(self) -> list[str]:
        """The classes to switch on."""
        return [spec for spec in (self.openai, self.anthropic) if spec]


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


ALONE = Peer("alone", "", "")
OFFICIAL = Peer(
    "official",
    "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
)
OPENLLMETRY = Peer(
    "OpenLLMetry",
    "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
)
OPENINFERENCE = Peer(
    "OpenInference",
    "openinference.instrumentation.openai:OpenAIInstrumentor",
    "openinference.instrumentation.anthropic:AnthropicInstrumentor",
)
PEERS = (ALONE, OFFICIAL, OPENLLMETRY, OPENINFERENCE)
NAMES = {
    "alone": [f"chat {ROWS[name].model}" for name in ("openai", "anthropic")],
    "official": [f"chat {ROWS[name].model}" for name in ("openai", "anthropic")],
    "OpenLLMetry": ["openai.chat", "anthropic.chat"],
    "OpenInference": ["ChatCompletion", "messages create"],
}
"""Names of the spans that carry the cost. Newer Anthropic SDKs make one of their own, which is nearest to the call."""


@dataclass
class Ran:
    """What a run of the program left behind."""

    folder: Path
    receiver: Received
    servers: dict[str, Provider]
    errors: str

    @property
    def priced(self) -> list[tuple[str, dict[str, Any]]]:
        """The spans that carry a cost."""
        return [(name, span) for name, span in self.receiver.spans if "llm.cost.total" in span]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / ".llmcost").mkdir()
    labels = {"app.py": {"questions": "questions"}}
    (tmp_path / ".llmcost" / "semantic_map.json").write_text(json.dumps(labels), encoding="utf-8")
    return tmp_path


@pytest.fixture
def servers() -> Iterator[dict[str, Provider]]:
    with serving(ROWS["openai"].server()) as openai, serving(ROWS["anthropic"].server()) as anthropic:
        yield {"openai": openai, "anthropic": anthropic}


def instrumented(folder: Path, servers: dict[str, Provider], specs: list[str], **env: str) -> Ran:
    """Run the program under ``opentelemetry-instrument``, exporting to a receiver and to a store."""
    hosts = [f'"127.0.0.1:{server.port}" = "{name}"' for name, server in servers.items()]
    (folder / "llmcost.toml").write_text("\n".join(["[hosts]", *hosts]) + "\n", encoding="utf-8")
    urls = json.dumps({name: server.url for name, server in servers.items()})
    path = entry_points_on_path(folder / "site")["PYTHONPATH"]
    with receiving() as receiver:
        settings = {
            "PYTHONPATH": os.pathsep.join(filter(None, [path, str(REPOSITORY / "tests")])),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic",
            "LLMCOST_STORE": ".llmcost",
            **env,
        }
        command = [*INSTRUMENT, sys.executable, "app.py", urls, json.dumps(specs)]
        done = subprocess.run(
            command, cwd=folder, env=environment(settings), capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        return Ran(folder, receiver, servers, done.stderr)


def assert_counted_once(ran: Ran) -> None:
    """Each request is one call: in the store, in the metrics, and on exactly one span with a cost."""
    assert {name: len(server.requests) for name, server in ran.servers.items()} == dict.fromkeys(ran.servers, WAYS)
    rows = {row["key"]: row for row in report(ran.folder, "--by", "provider")["rows"]}
    assert {name: row["calls"] for name, row in rows.items()} == dict.fromkeys(ran.servers, WAYS)
    usd = sum(row["nano"] for row in rows.values()) / 1e9
    assert usd == pytest.approx(WAYS * ((IN * 0.25 + OUT * 2.0) + (IN * 1.0 + OUT * 5.0)) / 1e6)
    assert [row["key"] for row in report(ran.folder, "--by", "label")["rows"]] == ["questions"]
    assert ran.receiver.total("llmcost.calls") == 2 * WAYS
    assert ran.receiver.total("llm.cost") == pytest.approx(usd)
    assert len({span["llmcost.call.id"] for _, span in ran.priced}) == len(ran.priced) == 2 * WAYS
    assert sum(span["llm.cost.total"] for _, span in ran.priced) == pytest.approx(usd)
    assert {span["llm.semantic_label"] for _, span in ran.priced} == {"questions"}
    assert "Traceback" not in ran.errors


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_call_is_counted_once(peer: Peer, folder: Path, servers: dict[str, Provider]) -> None:
    if not peer.present:
        pytest.skip(f"the instrumentations of {peer.name} are not installed (dependency group 'peers')")
    ran = instrumented(folder, servers, peer.specs)
    assert_counted_once(ran)
    tokens = ran.receiver.total("gen_ai.client.token.usage")
    assert tokens == pytest.approx(2 * WAYS * (IN + OUT), abs=2 * WAYS), "recorded by the span's owner, else by us"
    for name, span in ran.priced:
        if span["scope"] == "com.anthropic.sdk.python":
            assert name == "anthropic.messages.create"
        else:
            expected = NAMES[peer.name][span["gen_ai.request.model"] != ROWS["openai"].model]
            assert name == expected, "an adopted span keeps its name"
            assert span["scope"].startswith(peer.scopes)


def test_beside_all_of_them_at_once(folder: Path, servers: dict[str, Provider]) -> None:
    if not all(peer.present for peer in PEERS):
        pytest.skip("not all instrumentations are installed (dependency group 'peers')")
    ran = instrumented(folder, servers, [], OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="")
    assert_counted_once(ran)
    scopes = {span["scope"].removesuffix(".v1") for _, span in ran.receiver.spans}
    assert {spec.split(":")[0] for peer in PEERS for spec in peer.specs} <= scopes, "all were on"


def test_instrumenting_twice_is_as_once(folder: Path, servers: dict[str, Provider]) -> None:
    assert_counted_once(instrumented(folder, servers, ["llmcost.instrumentor:LLMCostInstrumentor"] * 2))


NO_CONNECTIONS = """
import socket
def no(self, address):
    if address[1] not in ALLOWED:
        print("a connection was tried", address, flush=True)
        raise ConnectionRefusedError(address)
    return connect(self, address)
connect, socket.socket.connect = socket.socket.connect, no
"""


def test_the_store_is_named_as_an_exporter_and_nothing_connects(folder: Path, servers: dict[str, Provider]) -> None:
    allowed = f"ALLOWED = {[server.port for server in servers.values()]}\n"
    (folder / "app.py").write_text(allowed + NO_CONNECTIONS + PROGRAM, encoding="utf-8")
    ports = [f'"127.0.0.1:{server.port}" = "{name}"' for name, server in servers.items()]
    (folder / "llmcost.toml").write_text("\n".join(["[hosts]", *ports]) + "\n", encoding="utf-8")
    path = entry_points_on_path(folder / "site")["PYTHONPATH"]
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, [path, str(REPOSITORY / "tests")])),
        "OTEL_TRACES_EXPORTER": "llmcost",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic",
    }
    urls = json.dumps({name: server.url for name, server in servers.items()})
    command = [*INSTRUMENT, sys.executable, "app.py", urls, "[]"]
    done = subprocess.run(
        command, cwd=folder, env=environment(settings), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "4317" not in done.stderr, done.stderr
    assert report(folder)["total"]["calls"] == 2 * WAYS
