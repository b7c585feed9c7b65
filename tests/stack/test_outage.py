"""Collectors that are away: the program goes on, the local store is exact, and what is missing elsewhere is known.

An outage of ten minutes is shortened: to as long as a program runs, or to more calls than its exporter has room for.
The exporters give up after three seconds each, so that a longer one is more of the same.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from e2e.otlp_receiver import receiving
from e2e.programs import COST, RUN, environment, write
from stack.asking import until
from stack.collectors import collector
from stack.programs import TWO_DOLLARS, observed, settings, stats

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

MORE_THAN_WAIT = 4_000
"""Calls. 2,048 spans wait in the SDK's queue and 512 are on their way: these may arrive after a short outage."""
QUICK = {"DECISION_WAIT": "1s", "PUSH_INTERVAL": "1s"}


def test_what_is_spent_while_no_collector_listens_is_missing_there_and_only_there(tmp_path: Path) -> None:
    store = tmp_path / "store"
    cheap, dear = write(tmp_path, "calls(10)\n"), write(tmp_path, TWO_DOLLARS, "dear.py")
    with receiving() as backend, collector("local.yaml", tmp_path / "c", backend.url, BATCH_TIMEOUT="200ms") as stack:
        env = settings(stack.endpoint, "app", store)
        observed(cheap, env)
        until(lambda: len(backend.spans) == 10)
        stack.stop("collector")
        observed(dear, env)
        stack.start_collector("local.yaml", {"TRACES_ENDPOINT": backend.url})
        observed(cheap, env)
        until(lambda: len(backend.spans) == 20)
    assert stats(store)["cost"] == pytest.approx(2.0 + 20 * COST)
    assert sum(attributes["llm.cost.total"] for _, attributes in backend.spans) == pytest.approx(20 * COST)


UNDER_LOAD = """
import sys
from pathlib import Path
made = 0
while not Path("stop").exists():
    calls(10)
    made += 10
    Path("made.new").write_text(str(made))
    Path("made.new").rename("made")
print(made)
"""


def test_a_collector_killed_under_load_costs_the_program_nothing_and_the_traces_its_absence(tmp_path: Path) -> None:
    app, made = write(tmp_path, UNDER_LOAD), tmp_path / "made"
    with receiving() as backend, collector("local.yaml", tmp_path / "c", backend.url, BATCH_TIMEOUT="200ms") as stack:
        env = environment(settings(stack.endpoint, "app", tmp_path / "store", OTEL_BSP_SCHEDULE_DELAY="200"))
        with subprocess.Popen([*RUN, app], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as program:
            until(lambda: bool(backend.spans))
            stack.stop("collector", signal.SIGKILL)
            before = int(made.read_text())
            away = until(lambda: int(made.read_text()), lambda now: now > before + MORE_THAN_WAIT)
            arrived = len(backend.spans)
            stack.start_collector("local.yaml", {"TRACES_ENDPOINT": backend.url, "BATCH_TIMEOUT": "200ms"})
            until(lambda: len(backend.spans) > arrived)
            (tmp_path / "stop").touch()
            printed, _ = program.communicate(timeout=120)
    assert program.returncode == 0
    assert away > before + MORE_THAN_WAIT, "the program went on"
    calls, found = int(printed), stats(tmp_path / "store")
    assert (found["calls"], found["cost"]) == (calls, pytest.approx(calls * COST))
    sent = [attributes["llmcost.call.id"] for _, attributes in backend.spans]
    assert arrived < len(sent) < calls, "what was on its way and what came meanwhile is missing, and no more"
    assert len(set(sent)) == len(sent), "nothing arrives twice"


def test_a_killed_gateway_delivers_from_its_disk_what_its_backend_could_not_take(tmp_path: Path) -> None:
    app = write(tmp_path, TWO_DOLLARS)
    with receiving() as later:
        port = later.port
    nobody = f"http://127.0.0.1:{port}"
    with collector("gateway.yaml", tmp_path / "c", nobody, **QUICK) as stack:
        observed(app, settings(stack.endpoint, "app", tmp_path / "store"))
        until(lambda: _waits(tmp_path / "c", "otlp_http/prometheus", b"llmcost.tokens.cost"))
        until(lambda: _waits(tmp_path / "c", "otlp_http/traces", b"llmcost.call.id"))
        stack.stop("collector", signal.SIGKILL)
        with receiving(port) as backend:
            backends = {"TRACES_ENDPOINT": backend.url, "PROMETHEUS_ENDPOINT": backend.url}
            stack.start_collector("gateway.yaml", {**QUICK, **backends})
            until(lambda: bool(backend.spans) and backend.total("llm.cost") > 0)
    assert stats(tmp_path / "store")["cost"] == pytest.approx(2.0)
    assert backend.total("llm.cost") == pytest.approx(2.0)
    assert [attributes["llm.cost.total"] for _, attributes in backend.spans] == [pytest.approx(2.0)]


def _waits(folder: Path, exporter: str, word: bytes) -> bool:
    """Whether it is in a queue on the disk and was taken from there once, in vain. What only stands in the file may be
    of a transaction that has not ended yet."""
    queued = any(word in queue.read_bytes() for queue in (folder / "queue").iterdir())
    tried = [line for line in _lines(folder / "collector.log") if exporter in line and "Exporting failed" in line]
    return queued and bool(tried)


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()
