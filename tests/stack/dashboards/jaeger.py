"""A real Jaeger on loopback: OTLP in, kept in memory, asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from stack.dashboards.starting import free_ports, serving

_CONFIG: Final = """\
extensions:
  jaeger_storage: {{backends: {{mem: {{memory: {{max_traces: 10000}}}}}}}}
  jaeger_query:
    storage: {{traces: mem}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: mem}}}}
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}}}
"""


@dataclass(frozen=True, slots=True)
class Jaeger:
    """Where it takes spans, and where it is asked."""

    otlp: str
    query: str

    def spans(self, service: str) -> list[dict[str, Any]]:
        """All spans of a service."""
        parameters = urlencode({"service": service, "limit": 1000})
        with urlopen(f"{self.query}/api/traces?{parameters}", timeout=30) as answer:
            return [span for trace in json.load(answer)["data"] for span in trace["spans"]]


@contextmanager
def jaeger(binary: Path, folder: Path) -> Iterator[Jaeger]:
    """Start one on free ports, and end it."""
    ports = dict(zip(("query", "grpc", "health", "otlp"), free_ports(4), strict=True))
    config = folder / "jaeger.yaml"
    config.write_text(_CONFIG.format(**ports))
    health = f"http://127.0.0.1:{ports['health']}/status"
    with serving([str(binary), "--config", str(config)], folder / "jaeger.log", health):
        yield Jaeger(f"http://127.0.0.1:{ports['otlp']}", f"http://127.0.0.1:{ports['query']}")
