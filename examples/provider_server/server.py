"""The server. A reply is a file: ``bodies/<path>/<model>/<turn>[.<status>].json`` or ``.sse``.

The path is the request's, without ``/v1`` and with dots, such as ``chat.completions``; a stream that asks for its
usage is answered from ``<path>.with_usage``. The files of a folder are sent in turn, over and over. A new reply is a
new file.
"""

from __future__ import annotations

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

BODIES = Path(__file__).parent / "bodies"
CONTENT_TYPES = {".json": "application/json", ".sse": "text/event-stream"}


class Turns:
    """Which file of a folder comes next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sent: Counter[tuple[Path, str]] = Counter()

    def next(self, folder: Path, suffix: str) -> Path | None:
        """The next file of the folder, or None where it has none."""
        files = sorted(folder.glob(f"*{suffix}"))
        with self._lock:
            turn = self._sent[folder, suffix]
            self._sent[folder, suffix] += 1
        return files[turn % len(files)] if files else None


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    turns = Turns()

    def do_POST(self) -> None:
        """Answer a call with the next file of its folder."""
        question = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        streamed = bool(question.get("stream"))
        path = self.path.removeprefix("/v1").strip("/").replace("/", ".")
        if streamed and (question.get("stream_options") or {}).get("include_usage"):
            path += ".with_usage"
        reply = self.turns.next(BODIES / path / str(question.get("model")), ".sse" if streamed else ".json")
        if reply is None:
            self.send_whole(
                404, b'{"error": {"message": "no reply is recorded for this", "type": "not_found"}}', ".json"
            )
        elif streamed:
            self.send_events(reply.read_bytes())
        else:
            self.send_whole(status_of(reply), reply.read_bytes(), reply.suffix)

    def send_whole(self, status: int, body: bytes, suffix: str) -> None:
        """Send a body of known length."""
        self.send_response(status)
        self.send_header("content-type", CONTENT_TYPES[suffix])
        self.send_header("content-length", str(len(body)))
        self.send_header("retry-after-ms", "20")
        self.end_headers()
        self.wfile.write(body)

    def send_events(self, body: bytes) -> None:
        """Send a stream, one event a chunk."""
        self.send_response(200)
        self.send_header("content-type", CONTENT_TYPES[".sse"])
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in body.split(b"\n\n"):
            if event.strip():
                self.send_chunk(event + b"\n\n")
        self.send_chunk(b"")

    def send_chunk(self, chunk: bytes) -> None:
        """One chunk in HTTP/1.1's chunked coding; an empty one ends the body."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Stay silent."""


def status_of(reply: Path) -> int:
    """The HTTP status in a file's name, 200 where there is none."""
    parts = reply.name.split(".")
    return int(parts[1]) if len(parts) == 3 else 200


def make_server(port: int = 0) -> ThreadingHTTPServer:
    """A server on the loopback address; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
