"""The CPU that OTLP export adds to a call, in the whole process: the same program with and without an exporter.

    python bench/exporting.py [--json]

The receiver is a process of its own that answers 200, so that its work is not counted. User and system time of the
program, the background threads and the export at its end included; the difference is divided by the calls. Rounds
alternate; a figure is the median. No limit: it is the SDK's work, told so that nobody is surprised.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROUNDS, CALLS = 5, 2000

RECEIVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

PROGRAM = f"""
import httpx
import llmcost
llmcost.observe()
USAGE = {{"prompt_tokens": 1000, "completion_tokens": 200}}
ANSWER = {{"id": "c", "model": "gpt-5-mini", "choices": [], "usage": USAGE}}
with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=ANSWER))) as client:
    for _ in range({CALLS}):
        client.post("https://api.openai.com/v1/chat/completions", json={{"model": "gpt-5-mini", "messages": []}})
"""


@contextmanager
def receiver() -> Iterator[int]:
    """The port of a receiver."""
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def seconds(folder: str, **variables: str) -> float:
    """CPU time of one run of the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LLMCOST_"))}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, env={**kept, **variables}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    exporting: list[float] = []
    store_only: list[float] = []
    with tempfile.TemporaryDirectory() as folder, receiver() as port:
        (Path(folder) / "store").mkdir()
        common = {"LLMCOST_STORE": str(Path(folder) / "store"), "NO_PROXY": "127.0.0.1"}
        for _ in range(ROUNDS):
            store_only.append(seconds(folder, **common))
            endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
            exporting.append(seconds(folder, **common, **endpoint))
    without, with_export = statistics.median(store_only), statistics.median(exporting)
    figures = {
        "store only, us a call": round(1e6 * without / CALLS, 1),
        "added by OTLP export, us a call": round(1e6 * (with_export - without) / CALLS, 1),
        "ratio": round(with_export / without, 2),
    }
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(f"{name:34} {value:8}\n" for name, value in figures.items())


if __name__ == "__main__":
    main()
