"""Web servers as users start them: workers, reloaders, launchers, and streaming responses of a real framework."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e.installed import INSTRUMENT, entry_points_on_path
from e2e.otlp_receiver import Received, receiving
from e2e.programs import COST, RUN, environment, write
from e2e.test_processes import report

pytest.importorskip("fastapi", reason="the servers need fastapi (dependency group 'servers')")
pytest.importorskip("uvicorn", reason="the servers need uvicorn (dependency group 'servers')")

pytestmark = pytest.mark.e2e

READY = "Application startup complete"
SECONDS = 60
WORKERS = ("--workers", "2", "--timeout-worker-healthcheck", "60")
"""Two; the supervisor has patience with a slow machine."""

APP = """
import asyncio
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
import llmcost

app = FastAPI()

async def asummarize():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=ANSWER))
    async with httpx.AsyncClient(transport=transport) as made:
        await made.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-5-mini", "messages": []})

def plain_answer():
    calls(1)

@app.get("/ask")
def ask():
    plain_answer()
    return {}

together = None

async def answers(user, meet):
    global together
    with llmcost.context(user_id=user):
        if meet:
            together = together or asyncio.Barrier(2)
            try:
                await asyncio.wait_for(together.wait(), 10)
            except (TimeoutError, asyncio.BrokenBarrierError):
                pass  # a client that came late is no reason to hang
        await asummarize()
        yield b"one"
        await asyncio.sleep(0.2)
        await asummarize()
        await asummarize()
        yield b"two"

def sync_answers(user):
    with llmcost.context(user_id=user):
        calls(1)
        yield b"one"
        calls(2)
        yield b"two"

@app.get("/stream")
def stream(user: str, meet: bool = False):
    return StreamingResponse(answers(user, meet))

@app.get("/sync-stream")
def sync_stream(user: str):
    return StreamingResponse(sync_answers(user))
"""
MAP = {"app.py": {"plain_answer": "plain", "answers": "streamed", "sync_answers": "streamed_by_threads"}}


@dataclass
class Server:
    """A running server: where it listens, and the lines that it prints."""

    process: subprocess.Popen[str]
    port: int
    lines: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    printed: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Take lines until the end."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.printed.append(line)
            self.lines.put(line)

    def until(self, text: str, seconds: float = SECONDS) -> None:
        """Wait for a line that holds a text."""
        while text not in self.lines.get(timeout=seconds):
            assert self.process.poll() is None or not self.lines.empty(), "".join(self.printed)

    def get(self, path: str) -> bytes:
        """One request on a connection of its own; a server says that it is ready a little before it listens."""
        url = f"http://127.0.0.1:{self.port}{path}"
        for _ in range(200):
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS).close()
                break
            threading.Event().wait(0.05)
        with urllib.request.urlopen(url, timeout=SECONDS) as response:
            return bytes(response.read())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, APP)
    (tmp_path / ".llmcost").mkdir()
    (tmp_path / ".llmcost" / "semantic_map.json").write_text(json.dumps(MAP), encoding="utf-8")
    return tmp_path


@contextmanager
def serving(
    folder: Path, launcher: Sequence[str], *options: str, env: dict[str, str] | None = None
) -> Iterator[Server]:
    """A server that a launcher starts; it is told to end as a supervisor would."""
    port = free_port()
    command = [*launcher, "-m", "uvicorn", "app:app", "--port", str(port), *options]
    settings = environment({**entry_points_on_path(folder / "site"), **(env or {})})
    with subprocess.Popen(
        command, cwd=folder, env=settings, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        server = Server(process, port)
        reader = threading.Thread(target=server.read, daemon=True)
        reader.start()
        try:
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            reader.join(20)
    assert "different Context" not in "".join(server.printed)
    assert "Traceback" not in "".join(server.printed), "".join(server.printed)


def assert_ten(folder: Path) -> None:
    """Ten calls, each once, with their label, in the store."""
    rows = report(folder, "--by", "label")["rows"]
    assert {row["key"]: row["calls"] for row in rows} == {"plain": 10}
    assert rows[0]["nano"] == round(10 * COST * 1e9)


def assert_ten_sent(receiver: Received) -> None:
    """The same at the receiver, whether llmcost or the SDK has set the exporter up."""
    assert receiver.total("llmcost.calls") == 10
    assert receiver.total("llm.cost") == pytest.approx(10 * COST)


LAUNCHERS = {"llmcost run": RUN, "opentelemetry-instrument": [*INSTRUMENT, sys.executable]}


def exporting_to(receiver: Received) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_LOGS_EXPORTER": "none",
        "LLMCOST_STORE": ".llmcost",
    }


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_workers(folder: Path, launcher: str) -> None:
    with receiving() as receiver:
        with serving(folder, LAUNCHERS[launcher], *WORKERS, env=exporting_to(receiver)) as server:
            server.until(READY)
            server.until(READY)
            for _ in range(10):
                server.get("/ask")
        assert_ten(folder)
        assert_ten_sent(receiver)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_reload(folder: Path, launcher: str) -> None:
    with receiving() as receiver:
        with serving(folder, LAUNCHERS[launcher], "--reload", env=exporting_to(receiver)) as server:
            server.until(READY)
            for _ in range(5):
                server.get("/ask")
            touch_until_reloaded(folder / "app.py", server)
            for _ in range(5):
                server.get("/ask")
        assert_ten(folder)
        assert_ten_sent(receiver)


def touch_until_reloaded(path: Path, server: Server) -> None:
    """The reloader may look for the first time only after the first touch."""
    for later in range(1, 4):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + later))
        with suppress(queue.Empty):
            server.until(READY, seconds=15)
            return
    pytest.fail("it was not reloaded")


def test_streaming_responses_keep_their_context(folder: Path) -> None:
    with serving(folder, RUN) as server:
        server.until(READY)
        leaves = threading.Thread(target=hang_up, args=(server, "/stream?user=b&meet=true"))
        leaves.start()
        assert server.get("/stream?user=a&meet=true") == b"onetwo"
        leaves.join(SECONDS)
        assert server.get("/sync-stream?user=c") == b"onetwo"
        server.get("/ask")
    users = {row["key"]: row["calls"] for row in report(folder, "--by", "user")["rows"]}
    assert users.pop("b") in (1, 2, 3), "it left early"
    assert users == {"a": 3, "c": 3, "": 1}
    labels = {row["key"]: row["calls"] for row in report(folder, "--by", "label")["rows"]}
    assert labels.pop("streamed") in (4, 5, 6)
    assert labels == {"plain": 1, "streamed_by_threads": 3}


def hang_up(server: Server, path: str) -> None:
    """Read the first piece of a response and go away."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = b""
        while b"one" not in got:
            got += connection.recv(4096)
