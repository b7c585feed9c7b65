"""A recorded month, replayed with a passed clock over eight processes: the same forecast and the same incidents as the
engines alone, each incident told once, and its cause found."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ledgers import BENCHES, START, Bench

from llmcost.control.feed import open_feed
from llmcost.insight import GLOBAL, Anomaly, Forecaster, Sample, Scope, Watch
from llmcost.insight.foresight import restored
from llmcost.processors.foresight import report_of

REPLAYER = Path(__file__).with_name("replayer.py")
DATA = Path(os.environ.get("LLMCOST_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")) / "data" / "series"
PROCESSES, DAYS, BUCKET, STEP, GRACE = 8, 30, 600, 6 * 3600, 60.0
FIRST = START // 86_400 * 86_400
END = FIRST + DAYS * 86_400
RATE = 1e-7
PRICES = {
    name: {
        "input_cost_per_token": rate,
        "output_cost_per_token": rate,
        "litellm_provider": "openai",
        "mode": "chat",
    }
    for name, rate in (("small", RATE), ("large", 5 * RATE))
}
KEYS = 10
MOST_CALLS = 6


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a label, from when to when; the name of the fault is the cause to be found."""

    cause: str
    label: str
    begin: float
    end: float


KINDS = ("model", "tokens", "calls", "retries", "errors")
HOURS = {"model": 8, "tokens": 8, "calls": 2, "retries": 4, "errors": 4}


def faults(labels: list[str]) -> list[Fault]:
    """Two of different kinds for each label, in the third and fourth week, by day."""
    found = []
    for number, label in enumerate(labels):
        for turn, day in enumerate((16, 23)):
            kind = KINDS[(number + 2 * turn) % len(KINDS)]
            begin = FIRST + (day + number % 4) * 86_400 + (9 + number % 5) * 3600
            found.append(Fault(kind, label, begin, begin + HOURS[kind] * 3600))
    return found


def recorded() -> dict[str, list[tuple[float, int]]]:
    """USD and calls by bucket of the keys with the most calls, fourteen days made thirty."""
    columns: dict[str, list[tuple[float, int]]] = {}
    with (DATA / "llm_cost.csv").open(newline="") as costs, (DATA / "llm_calls.csv").open(newline="") as calls:
        for cost, count in zip(csv.DictReader(costs), csv.DictReader(calls), strict=True):
            for name in cost:
                if name != "minute" and not name.startswith("label"):
                    columns.setdefault(name, []).append((float(cost[name]), int(float(count[name]))))
    most = sorted(columns, key=lambda name: -sum(count for _, count in columns[name]))[:KEYS]
    buckets = DAYS * 86_400 // BUCKET
    return {name: [columns[name][bucket % len(columns[name])] for bucket in range(buckets)] for name in sorted(most)}


def calls(month: dict[str, list[tuple[float, int]]], injected: list[Fault]) -> list[dict[str, Any]]:
    """All calls in the order of time."""
    rows = []
    for place, (label, series) in enumerate(month.items()):
        mine = [fault for fault in injected if fault.label == label]
        for bucket, (cost, count) in enumerate(series):
            begin = FIRST + bucket * BUCKET
            fault = next((fault.cause for fault in mine if fault.begin <= begin < fault.end), "")
            process = (bucket + place) % PROCESSES
            rows += [{**row, "process": process} for row in _bucket(label, begin, cost, min(count, MOST_CALLS), fault)]
    return sorted(rows, key=lambda row: (row["at"], row["label"]))


def _bucket(label: str, begin: float, cost: float, count: int, fault: str) -> Iterator[dict[str, Any]]:
    if fault and not count:
        cost, count = 0.01, 2
    tokens = max(1, round(cost / max(count, 1) / RATE)) * (4 if fault == "tokens" else 1)
    model = "large" if fault == "model" else "small"
    times = 12 if fault == "calls" else 1
    for number in range(count * times):
        at = begin + 2 + (BUCKET - 10) * number / (count * times)
        row = {"label": label, "user": f"of-{label}", "model": model, "tokens": tokens, "failed": False, "retry": False}
        if fault == "retries":
            yield {**row, "at": at, "failed": True}
            yield {**row, "at": at + 2, "retry": True}
        else:
            yield {**row, "at": at, "failed": fault == "errors" and number % 4 != 3}


@dataclass
class Alone:
    """The engines without ledger and processes."""

    watch: Watch = field(default_factory=Watch)
    forecasters: dict[Scope, Forecaster] = field(default_factory=dict)
    found: list[Anomaly] = field(default_factory=list)

    def run(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            rate = PRICES[row["model"]]["input_cost_per_token"]
            cost = None if row["failed"] else round(row["tokens"] * float(str(rate)), 9)
            scopes = [
                GLOBAL,
                Scope("label", row["label"]),
                Scope("model", row["model"]),
                Scope("user", row["user"]),
            ]
            tokens = 0 if row["failed"] else row["tokens"]
            sample = Sample(cost, 1, tokens, int(row["failed"]), int(row["retry"]), row["model"])
            self.found += self.watch.update(row["at"], scopes, sample)
            for scope in scopes:
                self.forecasters.setdefault(scope, Forecaster()).update(row["at"], cost or 0.0)
        self.found += self.watch.advance(END)


class Processes:
    """Eight real ones; a process that is killed is followed by another."""

    def __init__(self, url: str, path: Path) -> None:
        self._plan = {"url": url, "calls": str(path), "prices": PRICES, "grace_s": GRACE}
        self._running = [self._start(number, 0.0) for number in range(PROCESSES)]
        for process in self._running:
            assert _line(process) == "ready\n"

    def _start(self, number: int, since: float) -> subprocess.Popen[str]:
        plan = json.dumps({**self._plan, "number": number, "since": since})
        environment = {**os.environ, "LLMCOST_STRICT": "1"}
        return subprocess.Popen(
            [sys.executable, str(REPLAYER), plan],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def all(self, command: str) -> list[str]:
        """Give a command to all at once; what they answer, together."""
        for process in self._running:
            assert process.stdin is not None
            process.stdin.write(f"{command}\n")
            process.stdin.flush()
        return [told for process in self._running for told in json.loads(_line(process))]

    def kill(self, number: int, since: float) -> None:
        """As hard as a power cut, when its sums are written."""
        self._running[number].kill()
        self._running[number].wait()
        self._running[number] = self._start(number, since)
        assert _line(self._running[number]) == "ready\n"

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture(params=sorted(set(BENCHES) - {"memory"}))
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return BENCHES[request.param](tmp_path, lambda: request.getfixturevalue("redis_server"))


def replay(url: str, path: Path) -> list[Anomaly]:
    """Run the month; the reports in the order in which they were told."""
    processes, told = Processes(url, path), []
    try:
        for step in range(1, DAYS * 86_400 // STEP + 1):
            now = FIRST + step * STEP
            processes.all(f"calls {now}")
            told += processes.all(f"advance {now + GRACE}")
            if step % 25 == 0:
                processes.kill(step // 25 % PROCESSES, now)
    finally:
        processes.end()
    return [report_of(text) for text in told]


def by_what(report: Anomaly) -> tuple[float, Scope, str, str, str]:
    return report.timestamp, report.scope, report.event, report.severity, report.cause


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded series at {DATA}")
def test_eight_processes_see_what_the_engines_alone_see(shared: Bench, tmp_path: Path) -> None:
    month = recorded()
    injected = faults(list(month))
    rows = calls(month, injected)
    path = tmp_path / "calls.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    alone = Alone()
    alone.run(rows)
    told = replay(shared.url, path)

    assert sorted(map(by_what, told)) == sorted(map(by_what, alone.found))
    assert max(Tally((report.incident, report.timestamp) for report in told).values()) == 1
    opened = Tally(report.incident for report in told if report.event == "opened")
    assert max(opened.values()) == 1

    feed = open_feed(shared.url, lambda: END)
    for scope, forecaster in alone.forecasters.items():
        key = f"{scope.kind}={scope.name}" if scope.name else "global"
        mine = restored(key, feed.states([key])[key]).forecaster.predict(END + 30 * 86_400, END)
        pure = forecaster.predict(END + 30 * 86_400, END)
        for level in (0.025, 0.1, 0.5, 0.9, 0.975):
            assert mine.quantile(level) == pytest.approx(pure.quantile(level), rel=1e-6)

    right = [fault for fault in injected if found_cause(fault, told) == fault.cause]
    wrong = [(fault, found_cause(fault, told)) for fault in injected if fault not in right]
    print(f"{len(rows)} calls, {len(opened)} incidents, {len(right)} of {len(injected)} causes right; {wrong}")
    assert len(right) >= 0.9 * len(injected), wrong


def found_cause(fault: Fault, told: list[Anomaly]) -> str | None:
    """The cause that stands in the last report on the fault's label while it went on, or shortly after."""
    reports = [
        report
        for report in told
        if report.scope == Scope("label", fault.label)
        and report.event != "closed"
        and fault.begin <= report.timestamp <= fault.end + 3600
    ]
    return reports[0].cause if reports else None
