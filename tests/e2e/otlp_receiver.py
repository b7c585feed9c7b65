"""An OTLP/HTTP receiver on loopback that adds up what arrives."""

from __future__ import annotations

import gzip
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality


@dataclass
class Received:
    """What has arrived: sums of delta counters by name, the last cumulative values by series, all spans, all log texts,
    the path and headers of each request, and the bodies."""

    port: int = 0
    deltas: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cumulative: dict[str, dict[tuple[Any, ...], float]] = field(default_factory=lambda: defaultdict(dict))
    spans: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    exemplars: list[tuple[str, str]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    headers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def total(self, name: str) -> float:
        """The sum of a counter over all processes, whichever temporality they used."""
        return self.deltas[name] + sum(self.cumulative[name].values())

    def take_metrics(self, body: bytes) -> None:
        """Add a metrics request."""
        request = ExportMetricsServiceRequest()
        request.ParseFromString(body)
        with self.lock:
            for resource in request.resource_metrics:
                instance = tuple(sorted((a.key, str(a.value)) for a in resource.resource.attributes))
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        self._take(metric, instance)

    def _take(self, metric: Any, instance: tuple[Any, ...]) -> None:
        kind = metric.WhichOneof("data")
        if kind not in ("sum", "histogram"):
            return
        data = getattr(metric, kind)
        delta = data.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
        for point in data.data_points:
            value = point.sum if kind == "histogram" else point.as_double or point.as_int
            self.exemplars += [(metric.name, exemplar.span_id.hex()) for exemplar in point.exemplars]
            if delta:
                self.deltas[metric.name] += value
            else:
                series = (
                    instance,
                    point.start_time_unix_nano,
                    *sorted((a.key, str(a.value)) for a in point.attributes),
                )
                self.cumulative[metric.name][series] = value

    def take_spans(self, body: bytes) -> None:
        """Add a trace request."""
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        with self.lock:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        attributes = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
                        ids = {"span_id": span.span_id.hex(), "parent_id": span.parent_span_id.hex()}
                        self.spans.append((span.name, {**attributes, **ids, "scope": scope.scope.name}))

    def take_logs(self, body: bytes) -> None:
        """Add a logs request."""
        request = ExportLogsServiceRequest()
        request.ParseFromString(body)
        with self.lock:
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    self.logs += [record.body.string_value for record in scope.log_records]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    received: Received

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        received = self.received
        takers = {"metrics": received.take_metrics, "logs": received.take_logs}
        takers.get(self.path.rpartition("/")[2], received.take_spans)(body)
        received.bodies.append(body)
        received.headers.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Nothing: test output stays readable."""


@contextmanager
def receiving(port: int = 0) -> Iterator[Received]:
    """Receive on a port, or on a free one, until the block ends."""
    received = Received()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"received": received}))
    server.daemon_threads = True
    received.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
