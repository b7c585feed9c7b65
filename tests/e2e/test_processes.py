"""Exact totals, in the store and at the receiver, whatever the processes of a program do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.otlp_receiver import Received, receiving
from e2e.programs import COST, RUN, environment, run, write

pytestmark = pytest.mark.e2e


@pytest.fixture
def receiver() -> Iterator[Received]:
    with receiving() as received:
        yield received


def report(folder: Path, *options: str) -> dict[str, Any]:
    """What ``llmcost report --json`` says of the store in a folder."""
    command = [sys.executable, "-c", "import sys; from llmcost.cli import main; sys.exit(main())"]
    done = run([*command, "report", "--json", *options], folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def assert_exact(folder: Path, calls: int) -> None:
    """The store holds so many calls, and their sum to the nano-dollar."""
    total = report(folder)["total"]
    assert total["calls"] == calls
    assert total["nano"] == round(calls * COST * 1e9)


def exporting_to(receiver: Received, **more: str) -> dict[str, str]:
    """The one variable that a user sets."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **more}


def test_a_plain_run_is_exact_and_connects_nowhere(tmp_path: Path) -> None:
    guard = "import socket\ndef no(*a, **k): raise SystemExit('a connection was tried')\nsocket.socket.connect = no\n"
    app = write(tmp_path, guard + "calls(20)\n")
    done = run([*RUN, app], tmp_path)
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 20)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
    ],
    ids=["all", "1 %", "off"],
)
def test_store_and_metrics_are_exact_under_sampling(tmp_path: Path, receiver: Received, env: dict[str, str]) -> None:
    done = run([*RUN, write(tmp_path, "calls(100)\n")], tmp_path, env=exporting_to(receiver, **env))
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 100)
    assert receiver.total("llmcost.calls") == 100
    assert receiver.total("llm.cost") == pytest.approx(100 * COST, rel=1e-9)
    if not env:
        assert sum(span["llm.cost.total"] for _, span in receiver.spans) == pytest.approx(100 * COST)
        ids = {span["span_id"] for _, span in receiver.spans}
        assert receiver.exemplars
        assert all(span_id in ids for _, span_id in receiver.exemplars)


def test_the_store_is_exact_with_the_sdk_disabled(tmp_path: Path, receiver: Received) -> None:
    env = exporting_to(receiver, OTEL_SDK_DISABLED="true")
    done = run([*RUN, write(tmp_path, "calls(20)\n")], tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 20)


FORKS = """
import os, threading
calls(10)
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        threads = [threading.Thread(target=calls, args=(5,)) for _ in range(64)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        raise SystemExit(0)
    children.append(pid)
calls(10)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_threads_in_forked_processes(tmp_path: Path, receiver: Received) -> None:
    calls = 20 + 8 * 64 * 5
    done = run([*RUN, write(tmp_path, FORKS)], tmp_path, env=exporting_to(receiver), timeout=120)
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, calls)
    assert receiver.total("llmcost.calls") == calls, "no call of the parent is counted again by a child"
    assert receiver.total("llm.cost") == pytest.approx(calls * COST, rel=1e-9)


MULTIPROCESSING = """
import multiprocessing, sys
if __name__ == "__main__":
    calls(3)
    context = multiprocessing.get_context(sys.argv[1])
    workers = [context.Process(target=calls, args=(7,)) for _ in range(3)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path: Path, receiver: Received, method: str) -> None:
    done = run([*RUN, write(tmp_path, MULTIPROCESSING), method], tmp_path, env=exporting_to(receiver))
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 24)
    assert receiver.total("llmcost.calls") == 24


WAITS = """
import sys, time
calls(20)
print("ready", flush=True)
time.sleep(60)
"""


def test_sigterm_loses_nothing(tmp_path: Path, receiver: Received) -> None:
    command = [str(part) for part in [*RUN, write(tmp_path, WAITS)]]
    env = environment(exporting_to(receiver))
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM, "it ends as a process that SIGTERM killed"
    assert_exact(tmp_path, 20)
    assert receiver.total("llmcost.calls") == 20
    assert receiver.total("llm.cost") == pytest.approx(20 * COST)


HANDLES = """
import signal, sys, time
def mine(number, frame):
    print("mine", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, mine)
calls(4)
print("ready", flush=True)
time.sleep(60)
"""


def test_the_programs_own_handler_is_never_replaced(tmp_path: Path, receiver: Received) -> None:
    command = [str(part) for part in [*RUN, write(tmp_path, HANDLES)]]
    env = environment(exporting_to(receiver))
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "mine\n"
        assert process.wait(20) == 3
    assert_exact(tmp_path, 4)
    assert receiver.total("llmcost.calls") == 4


def test_kill_loses_only_what_is_in_flight(tmp_path: Path) -> None:
    command = [str(part) for part in [*RUN, write(tmp_path, WAITS)]]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait(20)
    assert_exact(tmp_path, 20)


@pytest.mark.slow
def test_fifty_short_scripts_sum_to_the_cent(tmp_path: Path, receiver: Received) -> None:
    app = write(tmp_path, "calls(3)\n")
    env = environment(exporting_to(receiver))
    command = [str(part) for part in [*RUN, app]]
    for _ in range(10):
        started = [subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE) for _ in range(5)]
        for process in started:
            _, told = process.communicate(timeout=60)
            assert process.returncode == 0, told
    assert_exact(tmp_path, 150)
    assert receiver.total("llmcost.calls") == 150
    assert receiver.total("llm.cost") == pytest.approx(150 * COST, rel=1e-9)


OPEN_STREAM = """
import os
def stream():
    parts = iter([b'data: {"id":"c","model":"gpt-5-mini","choices":[{"index":0,"delta":{"content":"a"}}]}\\n\\n'] * 5)
    headers = {"content-type": "text/event-stream"}
    made = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=parts)))
    body = {"model": "gpt-5-mini", "messages": [], "stream": True}
    request = made.build_request("POST", "https://api.openai.com/v1/chat/completions", json=body)
    return made.send(request, stream=True)
response = stream()
next(response.iter_raw())
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        del response
        raise SystemExit(0)
    assert os.waitpid(pid, 0)[1] == 0
response.close()
"""


def test_a_stream_that_is_open_at_a_fork_stays_the_parents(tmp_path: Path) -> None:
    done = run([*RUN, write(tmp_path, OPEN_STREAM)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert report(tmp_path)["total"]["calls"] == 1


def test_calls_are_stored_where_an_endpoint_is_set_and_the_sdk_is_disabled(tmp_path: Path) -> None:
    app = write(tmp_path, "import llmcost\nllmcost.observe()\ncalls(4)\n")
    env = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = run([sys.executable, app], tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 4)


def test_the_settings_file_names_the_store_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "llmcost.toml").write_text('store = "costs"\n', encoding="utf-8")
    done = run([*RUN, write(tmp_path, "calls(2)\n")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 2)
    assert not (tmp_path / ".llmcost" / "spool").exists()
