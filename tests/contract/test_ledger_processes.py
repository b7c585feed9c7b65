"""Many threads in many processes on one budget: never over, and afterwards exact to the nano-dollar."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter as Tally
from pathlib import Path
from typing import Any

import pytest
from ledgers import BENCHES, START, Bench

from llmcost.control import Budget
from llmcost.control.ledger import Counter, Ledger, Option, Reservation, open_ledger
from llmcost.control.plan import key_of

SPENDER = Path(__file__).with_name("spender.py")
LIMIT = 1_000_000_000
STRICT = {"name": "b", "total": 1, "bound": "strict"}


@pytest.fixture(params=sorted(set(BENCHES) - {"memory"}))
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return BENCHES[request.param](tmp_path, lambda: request.getfixturevalue("redis_server"))


def start(folder: Path, url: str, processes: int, **plan: Any) -> list[subprocess.Popen[str]]:
    """Processes that are ready and wait for a line."""
    started = []
    for number in range(processes):
        settings = {"url": url, "folder": str(folder), "name": f"p{number}", "values": {}, **plan}
        settings |= plan.get(f"p{number}", {})
        started.append(
            subprocess.Popen(
                [sys.executable, str(SPENDER), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def go(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def finish(processes: list[subprocess.Popen[str]]) -> list[int]:
    return [process.wait(60) for process in processes]


def log(folder: Path) -> list[list[Any]]:
    rows = []
    for path in sorted(folder.glob("*.log")):
        for line in path.read_text(encoding="utf-8").splitlines():
            rows.append(json.loads(line))
    return rows


def total_counter(limit: int | None = LIMIT) -> Counter:
    return Counter(key_of(Budget(name="b", total=1), "", "total"), 0, 0, limit=limit)


@pytest.mark.slow
def test_64_threads_in_8_processes_some_killed_never_overspend(shared: Bench, tmp_path: Path) -> None:
    """Calls that answer, stream, fail and are cancelled; two processes end by kill -9 with calls in flight. They wait
    two seconds for the ledger, so that on a slow machine too it is the budget that refuses."""
    killed = {"p2": {"killed_after": 30}, "p5": {"killed_after": 45}}
    plan = {"budgets": [STRICT], "threads": 64, "calls": 4, "bound": 2_000_003, **killed}
    processes = start(tmp_path, shared.url, 8, **plan)
    watcher = open_ledger(shared.url)
    go(processes)
    worst = 0
    while any(process.poll() is None for process in processes):
        spent, held, _ = watcher.states([total_counter()])[0]
        worst = max(worst, spent + held)
    codes = finish(processes)
    assert Tally(codes) == {0: 6, -9: 2}
    assert 0 < worst <= LIMIT
    rows = log(tmp_path)
    verdicts = Tally(row[0] if row[0] != "block" else row[3] for row in rows if row[0] in ("allow", "warn", "block"))
    settles = {row[1]: row[2] for row in rows if row[0] == "settles"}
    admitted = {row[1]: row[2] for row in rows if row[0] in ("allow", "warn")}
    assert settles.keys() <= admitted.keys()
    assert verdicts["money"] > 100, verdicts
    settle_again(watcher, settles)
    spent, held, _ = watcher.states([total_counter()])[0]
    assert spent == sum(settles.values())
    in_flight = sum(bound for call_id, bound in admitted.items() if call_id not in settles)
    assert in_flight <= held <= LIMIT - spent
    # What killed processes held is given back ten minutes later, and counted.
    later = open_ledger(shared.url, lambda: time.time() + 601)
    assert later.states([total_counter()])[0][:2] == (spent, 0)
    assert later.expired().nano == held > 0


def settle_again(ledger: Ledger, settles: dict[str, int]) -> None:
    """A process that was killed may have written that it settles and not have done it; the rest books nothing."""
    option = Option((total_counter(),), (0,))
    for call_id, actual in settles.items():
        ledger.settle(Reservation(call_id, 0, option, ()), actual)


@pytest.mark.slow
def test_the_first_requests_of_a_user_never_seen_are_limited(shared: Bench, tmp_path: Path) -> None:
    """B2: a default of $0.01, a strict bound of $0.004; 8 threads, then 8 processes."""
    budget = {"name": "users", "scope": "user", "daily": 0.01, "bound": "strict"}
    common = {"budgets": [budget], "calls": 1, "bound": 4_000_000, "kinds": ["answers"]}
    for name, processes, threads in (("threads", 1, 8), ("processes", 8, 1)):
        folder = tmp_path / name
        folder.mkdir()
        running = start(folder, shared.url, processes, threads=threads, values={"user": f"new-{name}"}, **common)
        go(running)
        assert set(finish(running)) == {0}
        sent = Tally(row[0] for row in log(folder) if row[0] in ("allow", "warn", "block"))
        assert sent["block"] == 6
        assert sum(sent.values()) == 8


@pytest.mark.slow
def test_one_warning_for_all_processes_and_one_more_the_next_day(shared: Bench, tmp_path: Path) -> None:
    """B7: 1,000 calls from 4 processes cross 80 %, twice."""
    budget = {"name": "users", "scope": "user", "daily": 1, "mode": "warn", "thresholds": {"degrade": 1.0}}
    for day, users in enumerate((("u1", "u2"), ("u1",))):
        for user in users:
            folder = tmp_path / f"{day}-{user}"
            folder.mkdir()
            plan = {"budgets": [budget], "threads": 5, "calls": 50, "bound": 900_000, "kinds": ["answers"]}
            running = start(folder, shared.url, 4, values={"user": user}, now=START + 86_400 * day, **plan)
            go(running)
            assert set(finish(running)) == {0}
            rows = log(folder)
            assert sum(row[0] == "settles" for row in rows) == 1_000
            assert [row[1:] for row in rows if row[0] == "told" and row[2] == "warn"] == [[user, "warn"]]
