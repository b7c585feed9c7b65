"""A provider on loopback: answers each path with a stated body, streamed or not, and can refuse or stall first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One body: its content type and its pieces, sent one by one."""

    content_type: str
    pieces: tuple[bytes, ...]


def as_json(body: Mapping[str, Any]) -> Reply:
    """A JSON body in one piece."""
    return Reply("application/json", (json.dumps(body).encode(),))


def as_sse(*events: Mapping[str, Any] | str, names: bool = False) -> Reply:
    """Server-sent events; ``names`` writes each event's ``type`` as its name."""
    pieces = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if names and not isinstance(event, str) else ""
        pieces.append(f"{name}data: {data}\n\n".encode())
    return Reply("text/event-stream", tuple(pieces))


def as_lines(*documents: Mapping[str, Any]) -> Reply:
    """JSON lines."""
    return Reply("application/x-ndjson", tuple(json.dumps(document).encode() + b"\n" for document in documents))


@dataclass
class Provider:
    """What the server does, and what it was asked.

    ``refusals`` answers come first, with status 429, then those with ``status``. ``stalled`` holds a stream after its
    first piece until it is set.
    """

    whole: Reply
    stream: Reply
    refusals: int = 0
    status: int = 200
    stalled: threading.Event | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_POST(self) -> None:
        provider = self.provider
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = json.loads(body) if body.startswith(b"{") else {}
        provider.requests.append((self.path, asked))
        if provider.refusals:
            provider.refusals -= 1
            self._send(429, as_json({"error": {"message": "slow down", "type": "rate_limit_error"}}))
        else:
            wants = bool(asked.get("stream")) or ":stream" in self.path
            self._send(provider.status, provider.stream if wants else provider.whole)

    def _send(self, status: int, reply: Reply) -> None:
        self.send_response(status)
        self.send_header("content-type", reply.content_type)
        self.send_header("retry-after-ms", "1")
        self.send_header("retry-after", "0")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate(reply.pieces):
            if number and self.provider.stalled is not None:
                self.provider.stalled.wait(20)
            if not self._write(b"%x\r\n%s\r\n" % (len(piece), piece)):
                return
        self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:  # the client went away, as some tests want
            self.close_connection = True
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Nothing: test output stays readable."""


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    """Serve on a free port of loopback until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": provider}))
    server.daemon_threads = True
    provider.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        if provider.stalled is not None:
            provider.stalled.set()
        server.shutdown()
        server.server_close()
        thread.join()
