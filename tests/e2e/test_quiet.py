"""What llmcost must not do: connect, warn, pile up threads, keep calls waiting (field cases P4, P5, B5)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from e2e.programs import COST, RUN, run, write
from e2e.test_processes import assert_exact, report

pytestmark = pytest.mark.e2e

OFFLINE = """
import socket
def no(*args, **kwargs):
    raise SystemExit(f"a connection was tried: {args}")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = no
"""
"""Neither a name nor an address may be asked for; the program's own calls go through a mock transport."""

PRICED = """
import llmcost
llmcost.observe()
calls(1)
cost = llmcost.price("gpt-5-mini", llmcost.Usage(input_tokens=1000, output_tokens=200))
assert cost.total and cost.price_date, cost
llmcost.shutdown()
"""


@pytest.mark.parametrize("proxy", [{}, {"HTTPS_PROXY": "http://192.0.2.1:9", "HTTP_PROXY": "http://192.0.2.1:9"}])
def test_nothing_connects_but_the_call_itself(tmp_path: Path, proxy: dict[str, str]) -> None:
    app = write(tmp_path, "client = lambda: httpx.Client(transport=httpx.MockTransport("
                "lambda _: httpx.Response(200, json=ANSWER)), trust_env=False)\n" + PRICED)  # fmt: skip
    app.write_text(OFFLINE + app.read_text(encoding="utf-8"), encoding="utf-8")
    done = run([sys.executable, app], tmp_path, env=proxy)
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 1)


AGAIN = """
import json, threading, warnings
warnings.simplefilter("error")
source = '''
import llmcost
llmcost.observe(**settings)
calls(1)
'''
counts = []
for number in range(20):
    settings = {"store": ".llmcost", "endpoint": ENDPOINT}
    if number == 19:
        settings["service_name"] = "another"
    exec(compile(source, "cell.py", "exec"), {"calls": calls, "settings": settings})
    counts.append(threading.active_count())
from opentelemetry import trace
processors = trace.get_tracer_provider()._active_span_processor._span_processors
print(json.dumps({"threads": counts, "processors": len(processors)}))
"""


def test_observing_twenty_times_is_observing_once(tmp_path: Path) -> None:
    from e2e.otlp_receiver import receiving

    with receiving() as receiver:
        app = write(tmp_path, f"ENDPOINT = {receiver.url!r}\n{AGAIN}")
        done = run([sys.executable, app], tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(receiver.spans) == 20
        assert receiver.total("llmcost.calls") == 20
    told = json.loads(done.stdout)
    assert max(told["threads"]) == told["threads"][0], "one set of threads"
    assert told["processors"] == 1
    warned = [line for line in done.stderr.splitlines() if "no semantic map" not in line]
    assert len(warned) == 1, done.stderr
    assert "service_name" in warned[0], "what was not applied is named once"
    assert_exact(tmp_path, 20)


FROZEN = """
import llmcost, os
llmcost.observe(endpoint=ENDPOINT, store=".llmcost")
calls(5)
llmcost.force_flush()
os.kill(os.getpid(), 9)
"""


def test_after_a_flush_nothing_waits_in_memory(tmp_path: Path) -> None:
    """As where a function is frozen between requests, and never thawed."""
    from e2e.otlp_receiver import receiving

    with receiving() as receiver:
        done = run([sys.executable, write(tmp_path, f"ENDPOINT = {receiver.url!r}\n{FROZEN}")], tmp_path)
        assert done.returncode == -9, done.stderr
        assert len(receiver.spans) == 5
        assert receiver.total("llmcost.calls") == 5
        assert receiver.total("llm.cost") == pytest.approx(5 * COST)
    assert_exact(tmp_path, 5)


BLOCKED = """
import sys, pathlib, llmcost
calls(3)
store = pathlib.Path(".llmcost")
for number, line in enumerate(sys.stdin):
    if line.strip() == "free":
        pathlib.Path(".llmcost").unlink()
        llmcost.force_flush()
    calls(2)
    print("called", flush=True)
"""


def test_calls_wait_for_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    """A file stands in the folder's place for a while; then nothing is lost and nothing counted twice."""
    import subprocess

    from e2e.programs import environment

    (tmp_path / ".llmcost").write_text("in the way", encoding="utf-8")
    command = [str(part) for part in [*RUN, write(tmp_path, BLOCKED)]]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for line in ("go\n", "go\n", "free\n", "go\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == "called\n"
        process.stdin.close()
        told = process.stderr.read()
        assert process.wait(20) == 0, told
    assert told.count("cannot be written") == 1, told
    assert_exact(tmp_path, 3 + 4 * 2)
    assert report(tmp_path)["total"]["calls"] == 11, "a second look counts nothing twice"
