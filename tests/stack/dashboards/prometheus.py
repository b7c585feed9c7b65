"""A real Prometheus on loopback, as a plain process, and what can be asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from stack.dashboards.starting import free_ports, serving

CONFIG: Final = """\
global:
  evaluation_interval: 5s
otlp:
  translation_strategy: UnderscoreEscapingWithSuffixes
  promote_resource_attributes: [service.name, service.namespace, deployment.environment.name]
storage:
  tsdb:
    out_of_order_time_window: 48h
  exemplars:
    max_exemplars: 20000
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Where it listens."""

    url: str

    def ask(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query.

        Raises:
            AssertionError: with Prometheus's own words where it refuses the query.
        """
        parameters = {"query": expr} | ({"time": str(at)} if at is not None else {})
        return self._result("query", parameters)

    def ask_range(self, expr: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The result of a query over time."""
        return self._result("query_range", {"query": expr, "start": str(start), "end": str(end), "step": str(step)})

    def names(self) -> set[str]:
        """All metric names."""
        found: set[str] = set(self.get("label/__name__/values", {}))
        return found

    def get(self, path: str, parameters: dict[str, str]) -> Any:
        """The data of an answer."""
        try:
            with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=30) as answer:
                return json.load(answer)["data"]
        except HTTPError as refused:
            raise AssertionError(refused.read().decode()) from None

    def _result(self, path: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path, parameters)["result"]
        return found


@contextmanager
def prometheus(binary: Path, folder: Path, *flags: str) -> Iterator[Prometheus]:
    """Start one on a free port with its data in ``folder``, and end it."""
    (port,) = free_ports(1)
    config = folder / "prometheus.yml"
    if not config.exists():
        config.write_text(CONFIG)
    command = [
        str(binary),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
        "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
        "--log.level=warn",
        *flags,
    ]
    url = f"http://127.0.0.1:{port}"
    with serving(command, folder / "prometheus.log", f"{url}/-/ready"):
        yield Prometheus(url)
