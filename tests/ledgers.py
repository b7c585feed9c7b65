"""The back ends of the ledger that every suite runs over, each with a clock that the test moves."""

from __future__ import annotations

import contextlib
import functools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmcost.control.ledger import Counter, Ledger, Option, Request, open_ledger

START = 1_800_000_000.0
"""15 January 2027, 08:00 UTC."""


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    at: float = START

    def __call__(self) -> float:
        return self.at


@dataclass
class Bench:
    """A ledger under test, and a way to open further ones on the same data, as another process would."""

    name: str
    url: str
    clock: Clock = field(default_factory=Clock)

    def open(self) -> Ledger:
        return open_ledger(self.url, self.clock)


@dataclass
class RedisServer:
    """A real server on a free port of the loopback, ended by its own id."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        command = _server_command()
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(7).startswith(b"+PONG"):
                        return
        raise RuntimeError("the Redis server did not start")

    def stop(self) -> None:
        """As hard as a power cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@functools.cache
def _server_command() -> tuple[str, ...]:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
        if found:
            return (found, "--save", "", "--appendonly", "no")
    return ()


def new_server() -> RedisServer:
    """A server that is not started yet; skips the test where the machine has none."""
    if not _server_command():
        pytest.skip("no redis-server or valkey-server on this machine: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return RedisServer(Path(tempfile.mkdtemp(prefix="ledger-redis-")), port)


@contextlib.contextmanager
def running_server() -> Iterator[RedisServer]:
    """A server for the time of a block; its folder goes with it."""
    server = new_server()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


def memory_bench(_: Path, __: Callable[[], RedisServer]) -> Bench:
    return Bench("memory", "memory://")


def sqlite_bench(folder: Path, _: Callable[[], RedisServer]) -> Bench:
    return Bench("sqlite", f"sqlite://{folder / 'ledger.db'}?wait_ms=2000")


def redis_bench(_: Path, server: Callable[[], RedisServer]) -> Bench:
    return Bench("redis", f"{server().url}?namespace={uuid.uuid4().hex}&wait_ms=2000")


BENCHES = {"memory": memory_bench, "sqlite": sqlite_bench, "redis": redis_bench}


def counter(key: str = "b", limit: int | None = 100, **more: int | None) -> Counter:
    slot = more.pop("slot", 0) or 0
    first = more.pop("first", slot)
    return Counter(key, slot, slot if first is None else first, limit=limit, **more)  # type: ignore[arg-type]


def wish(call_id: str, amount: int, *counters: Counter, keep: bool = False) -> Request:
    return Request(call_id, (Option(counters, (amount,) * len(counters)),), keep)
