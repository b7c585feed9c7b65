"""An OpenAI-compatible endpoint on loopback that answers with recorded bodies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def body(content: str) -> bytes:
    """A chat completion with this text."""
    message = {"choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": 700, "completion_tokens": 30}}
    return json.dumps(message).encode()


class Recorded:
    """Gives the answers it was given, in turn, and keeps the requests: path, body, authorization."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.requests: list[tuple[str, dict[str, object], str | None]] = []
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                sent = json.loads(self.rfile.read(length))
                recorded.requests.append((self.path, sent, self.headers.get("Authorization")))
                status, content = recorded.answers.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@contextmanager
def recorded_endpoint() -> Iterator[Recorded]:
    """Answers until the block ends."""
    server = Recorded()
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
        thread.join()
