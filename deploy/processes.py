"""The stack as plain processes on loopback: collector, Prometheus and Jaeger, with the files that users get.

What differs from a user's is said here: ports, folders, and intervals short enough for tests.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

HERE: Final = Path(__file__).resolve().parent
CONFIGS: Final = HERE.parent / "collector-config"
ALERTS: Final = HERE.parent / "grafana" / "alerts" / "prometheus.yaml"

PORTS: Final[Mapping[str, int]] = {
    "OTLP_GRPC_PORT": 4317,
    "OTLP_HTTP_PORT": 4318,
    "METRICS_PORT": 8889,
    "SELF_PORT": 8888,
    "HEALTH_PORT": 13133,
    "TRACES_OTLP_PORT": 24318,
    "TRACES_QUERY_PORT": 16686,
    "TRACES_QUERY_GRPC_PORT": 16685,
    "TRACES_HEALTH_PORT": 24133,
    "PROMETHEUS_PORT": 9090,
}
"""The ports that users know, by the variable of the configuration files that moves them."""

_FEATURES: Final = "exemplar-storage,created-timestamp-zero-ingestion"
_PATIENCE_S: Final = 60.0
_OPENER: Final = build_opener(ProxyHandler({}))


class NotBuilt(Exception):
    """A program of the stack is not in the cache; the text says how it gets there."""


class NotHealthy(Exception):
    """A program ended, or did not come up; the text holds the end of its log."""


def cache() -> Path:
    """Where what was built is kept, as get.sh says."""
    given = os.environ.get("LLMCOST_STACK_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmcost-stack"


def program(piece: str) -> Path:
    """The program of a piece: ``collector``, ``prometheus``, ``promtool`` or ``jaeger``.

    Raises:
        NotBuilt: where it is not in the cache.
    """
    said = subprocess.run([HERE / "get.sh", "--print", piece], capture_output=True, text=True, check=True)
    found = Path(said.stdout.strip())
    if not found.exists():
        raise NotBuilt(f"{piece} is not built; `make stack-build` does it ({found})")
    return found


def fetch(url: str, timeout: float = 30.0) -> bytes | None:
    """The body of a page on loopback; None where nobody answers, or not with success."""
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            return bytes(answer.read())
    except (URLError, OSError):
        return None


def free_ports() -> dict[str, int]:
    """A free port for each of :data:`PORTS`."""
    held = {name: socket.socket() for name in PORTS}
    try:
        for each in held.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in held.items()}
    finally:
        for each in held.values():
            each.close()


@dataclass
class Stack:
    """The processes, by name, with their folder and ports.

    Args:
        data: an existing folder for logs, configuration and data.
        ports: as :data:`PORTS`.
        scrape: Prometheus's interval, such as ``1s``.
    """

    data: Path
    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)
    scrape: str = "15s"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def url(self, port: str) -> str:
        """Where the port's server answers."""
        return f"http://127.0.0.1:{self.ports[port]}"

    @property
    def endpoint(self) -> str:
        """The value of ``OTEL_EXPORTER_OTLP_ENDPOINT`` for programs (HTTP)."""
        return self.url("OTLP_HTTP_PORT")

    def start(self) -> None:
        """Start all, each when the one before is healthy."""
        self.start_jaeger()
        self.start_prometheus()
        self.start_collector()

    def start_jaeger(self) -> None:
        """Start the trace store."""
        command = [str(program("jaeger")), "--config", str(HERE / "jaeger.yaml")]
        self._start("jaeger", command, f"{self.url('TRACES_HEALTH_PORT')}/status")

    def start_prometheus(self) -> None:
        """Start Prometheus with the users' file, on these ports and at this interval."""
        text = (HERE / "prometheus.yml").read_text(encoding="utf-8").replace("15s", self.scrape)
        for name, port in (("collector:8889", "METRICS_PORT"), ("collector:8888", "SELF_PORT")):
            text = text.replace(name, f"127.0.0.1:{self.ports[port]}")
        (self.data / "prometheus.yml").write_text(text, encoding="utf-8")
        for name, rules in (("rules.yaml", HERE / "rules.yaml"), ("alerts.yaml", ALERTS)):
            quicker = rules.read_text(encoding="utf-8").replace('interval: "1m"', f"interval: {self.scrape}")
            (self.data / name).write_text(quicker, encoding="utf-8")
        command = [
            str(program("prometheus")),
            f"--config.file={self.data / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.data / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.ports['PROMETHEUS_PORT']}",
            "--web.enable-otlp-receiver",
            f"--enable-feature={_FEATURES}",
            "--log.level=warn",
        ]
        self._start("prometheus", command, f"{self.url('PROMETHEUS_PORT')}/-/ready")

    def start_collector(self, config: str = "local.yaml", variables: Mapping[str, str] | None = None) -> None:
        """Start a collector with a file of collector-config/."""
        command = [str(program("collector")), "--config", str(CONFIGS / config)]
        self._start("collector", command, f"{self.url('HEALTH_PORT')}/", variables or {})

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one process and wait for it."""
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(_PATIENCE_S)

    def stop_all(self) -> None:
        """End all, last first."""
        for name in reversed(list(self.processes)):
            self.stop(name)

    def _start(self, name: str, command: list[str], health: str, variables: Mapping[str, str] | None = None) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        environment |= {key: str(value) for key, value in self.ports.items()}
        environment["DATA_FOLDER"] = str(self.data)
        environment["TRACES_ENDPOINT"] = self.url("TRACES_OTLP_PORT")
        environment |= variables or {}
        log = self.data / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=self.data, start_new_session=True
            )
        self.processes[name] = process
        self._await(process, health, log)

    @staticmethod
    def _await(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
        end = time.monotonic() + _PATIENCE_S
        while fetch(health, 1.0) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise NotHealthy(f"{health}: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
            time.sleep(0.05)
