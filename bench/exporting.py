"""The CPU that OTLP export adds to a call, in the whole process: the same program with and without an exporter.

    python bench/exporting.py [--json]

The receiver is a process of its own that answers 200, so that its work is not counted. User and system time of the
program, the background threads and the export at its end included. Each program runs short and long; a call's figure is
the difference by the calls that are more, and start-up and imports are told apart. Rounds alternate; a figure is the
median. No limit: it is the SDK's work, told so that nobody is surprised.
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

ROUNDS, SHORT, LONG = 5, 500, 4500

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

PROGRAM = """
import sys
import httpx
import llmcost
llmcost.observe()
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200}
ANSWER = {"id": "c", "model": "gpt-5-mini", "choices": [], "usage": USAGE}
with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=ANSWER))) as client:
    for _ in range(int(sys.argv[1])):
        client.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-5-mini", "messages": []})
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


def seconds(folder: str, calls: int, **variables: str) -> float:
    """CPU time of one run of the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LLMCOST_"))}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(calls)]
    subprocess.run(command, cwd=folder, env={**kept, **variables}, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    starts: dict[str, list[float]] = {"without": [], "with": []}
    calls: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder, receiver() as port:
        (Path(folder) / "store").mkdir()
        common = {"LLMCOST_STORE": str(Path(folder) / "store"), "NO_PROXY": "127.0.0.1"}
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        for _ in range(ROUNDS):
            for name, variables in (("without", common), ("with", common | endpoint)):
                short, long = (seconds(folder, count, **variables) for count in (SHORT, LONG))
                calls[name].append((long - short) / (LONG - SHORT))
                starts[name].append(short - SHORT * calls[name][-1])
    call = {name: 1e6 * statistics.median(values) for name, values in calls.items()}
    start = {name: 1e3 * statistics.median(values) for name, values in starts.items()}
    figures = {
        "a call, store only, us": round(call["without"], 1),
        "added by OTLP export, us a call": round(call["with"] - call["without"], 1),
        "added to start and end, ms a process": round(start["with"] - start["without"], 1),
    }
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(f"{name:38} {value:8}\n" for name, value in figures.items())


if __name__ == "__main__":
    main()
