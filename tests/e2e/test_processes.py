"""Exact totals, in the store and at the receiver, whatever the processes of a program do."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e.installed import INSTRUMENT, entry_points_on_path
from e2e.otlp_receiver import Received, receiving
from e2e.programs import COST, RUN, environment, run, write

pytestmark = pytest.mark.e2e

Waiting = subprocess.Popen[str]


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


def launched(folder: Path, receiver: Received, **more: str) -> dict[str, str]:
    """The environment of a program under ``opentelemetry-instrument``."""
    return {
        **entry_points_on_path(folder / "site"),
        **exporting_to(receiver),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
        "LLMCOST_STORE": ".llmcost",
        **more,
    }


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
@pytest.mark.parametrize("launcher", [RUN[:-1], INSTRUMENT], ids=["llmcost run", "opentelemetry-instrument"])
def test_multiprocessing(tmp_path: Path, receiver: Received, method: str, launcher: list[str]) -> None:
    command: list[str | Path] = [*launcher, sys.executable, write(tmp_path, MULTIPROCESSING), method]
    done = run(command, tmp_path, env=launched(tmp_path, receiver))
    assert done.returncode == 0, done.stderr
    assert_exact(tmp_path, 24)
    assert receiver.total("llmcost.calls") == 24


WAITS = """
import sys, time
calls(20)
print("ready", flush=True)
time.sleep(60)
"""


@contextmanager
def waiting(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Waiting]:
    """A program that has made its calls and waits, having said so."""
    parts = [str(part) for part in command]
    with subprocess.Popen(parts, cwd=folder, env=environment(env), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_sigterm_loses_nothing(tmp_path: Path, receiver: Received) -> None:
    with waiting([*RUN, write(tmp_path, WAITS)], tmp_path, exporting_to(receiver)) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM, "it ends as a process that SIGTERM killed"
    assert_exact(tmp_path, 20)
    assert receiver.total("llmcost.calls") == 20
    assert receiver.total("llm.cost") == pytest.approx(20 * COST)


LOGS = """
import logging
logging.getLogger("app").warning("about to wait")
"""


def test_sigterm_loses_nothing_of_the_sdks_own_exporters(tmp_path: Path, receiver: Received) -> None:
    command: list[str | Path] = [*INSTRUMENT, sys.executable, write(tmp_path, LOGS + WAITS)]
    with waiting(command, tmp_path, launched(tmp_path, receiver)) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
    assert_exact(tmp_path, 20)
    assert receiver.total("llmcost.calls") == 20
    assert receiver.total("llm.cost") == pytest.approx(20 * COST)
    assert sum(span.get("llm.cost.total", 0) for _, span in receiver.spans) == pytest.approx(20 * COST)
    assert "about to wait" in receiver.logs


def test_sigterm_waits_for_a_dead_collector_within_a_bound(tmp_path: Path) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        dead = Received(port=silent.getsockname()[1])
        command: list[str | Path] = [*INSTRUMENT, sys.executable, write(tmp_path, WAITS)]
        with waiting(command, tmp_path, launched(tmp_path, dead)) as process:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == -signal.SIGTERM, "the exporters' own time-out is 10 seconds, and they try again"
    assert_exact(tmp_path, 20)


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


@pytest.mark.parametrize("launcher", [RUN[:-1], INSTRUMENT], ids=["llmcost run", "opentelemetry-instrument"])
def test_the_programs_own_handler_is_never_replaced(tmp_path: Path, receiver: Received, launcher: list[str]) -> None:
    command: list[str | Path] = [*launcher, sys.executable, write(tmp_path, HANDLES)]
    with waiting(command, tmp_path, launched(tmp_path, receiver)) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        assert process.wait(20) == 3
    assert_exact(tmp_path, 4)
    assert receiver.total("llmcost.calls") == 4


def test_kill_loses_only_what_is_in_flight(tmp_path: Path) -> None:
    with waiting([*RUN, write(tmp_path, WAITS)], tmp_path) as process:
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


AGAIN = """
import sys, llmcost
first, second = sys.argv[1:]
calls(1)
llmcost.observe(endpoint=first)
calls(2)
llmcost.shutdown()
calls(4)
llmcost.observe(endpoint=second)
calls(8)
llmcost.shutdown()
llmcost.observe(endpoint=first)
calls(16)
"""


@pytest.mark.parametrize("preference", ["delta", "cumulative"])
def test_after_shutdown_it_can_be_observed_again_and_elsewhere(
    tmp_path: Path, receiver: Received, preference: str
) -> None:
    with receiving() as second:
        env = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
        app = write(tmp_path, AGAIN)
        done = run([sys.executable, app, receiver.url, second.url], tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert "provider" not in done.stderr, "OpenTelemetry says so where a provider is set again"
        assert len(second.spans) == 8
        assert second.total("llmcost.calls") == (8 if preference == "delta" else 10), "the sum of the process so far"
    assert len(receiver.spans) == 18
    assert receiver.total("llmcost.calls") == (18 if preference == "delta" else 26)
    assert bool(receiver.cumulative["llmcost.calls"]) == (preference == "cumulative")


TAKEN = """
import llmcost
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
llmcost.observe(endpoint="http://127.0.0.1:9")
calls(2)
"""


def test_an_endpoint_that_is_not_used_is_said(tmp_path: Path) -> None:
    env = {"OTEL_METRICS_EXPORTER": "none", "LLMCOST_STORE": ".llmcost"}
    done = run([sys.executable, write(tmp_path, TAKEN)], tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "the application has a tracer provider of its own, which is used; endpoint http://127.0.0.1:9" in done.stderr
    assert_exact(tmp_path, 2)


def test_a_wrong_setting_is_one_line_and_the_program_runs(tmp_path: Path, receiver: Received) -> None:
    app = write(tmp_path, "calls(2)\nprint('ran')\n")
    more = {"LLMCOST_HTTP_SPANS": "perhaps", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "false"}
    done = run([*INSTRUMENT, sys.executable, app], tmp_path, env=launched(tmp_path, receiver, **more))
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    told = [line for line in done.stderr.splitlines() if "llmcost" in line]
    assert told == ["llmcost: LLMCOST_HTTP_SPANS: 'perhaps' is none of keep, on, off; nothing is recorded"]
    assert "Traceback" not in done.stderr
