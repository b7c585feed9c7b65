"""From calls to forecasts and reports: the feed in between changes nothing, whoever takes the steps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from factories import START_NS, a_call
from ledgers import Clock

from llmcost.calls import Attribution, Call, Usage
from llmcost.control.feed import Feed, open_feed
from llmcost.control.feed.memory import MemoryFeed
from llmcost.control.ledger import LedgerFailure
from llmcost.insight import GLOBAL, Anomaly, Forecaster, Sample, Scope, Watch, WatchSettings
from llmcost.insight.foresight import restored
from llmcost.processors.foresight import GRACE_S, Foresight, found_of, report_of
from llmcost.processors.outlook import OutlookSpanProcessor
from llmcost.processors.outlook_settings import OutlookSettings
from llmcost.processors.sums import CallSums
from llmcost.processors.tray import Tray

START = START_NS / 1e9
DAY = 86_400.0
STEP = 600.0
FAULT_AT = START + 7 * DAY + 14 * 3600
END = START + 8 * DAY


def calls_of(at: float, source: random.Random) -> Iterator[Call]:
    """The calls of ten minutes: two users, two labels; from ``FAULT_AT`` on a model four times as dear."""
    for number in range(6 if 7 <= at % DAY // 3600 < 20 else 2):
        label = "summarization" if number % 2 else "chat"
        model = "gpt-5.4" if at >= FAULT_AT and label == "summarization" else "gpt-5-mini"
        cost = 0.01 * source.lognormvariate(0, 0.3) * (5 if model == "gpt-5.4" else 1)
        yield a_call(
            int(at) + number,
            started_ns=int((at + 60 * number) * 1e9),
            duration=1.5,
            cost=None if number == 4 else round(cost, 9),
            request_model=model,
            usage=Usage(1000, 100),
            attribution=Attribution(label=label, label_source="map", user_id=f"u{number % 3}"),
        )


@dataclass
class Program:
    """Processes on one feed, each with its own sums, and the engines by themselves beside them."""

    clock: Clock
    feeds: list[Feed]
    sums: list[CallSums] = field(init=False)
    parts: list[Foresight] = field(init=False)
    watch: Watch = field(default_factory=Watch)
    forecasters: dict[Scope, Forecaster] = field(default_factory=dict)
    pure: list[Anomaly] = field(default_factory=list)
    told: list[Anomaly] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sums = [CallSums() for _ in self.feeds]
        self.parts = [Foresight(feed, WatchSettings()) for feed in self.feeds]

    def call(self, call: Call, process: int) -> None:
        self.sums[process].add(call)
        about = call.attribution
        model = call.request_model or ""
        scopes = [GLOBAL, Scope("label", about.label), Scope("model", model), Scope("user", about.user_id or "")]
        at = call.started_ns / 1e9 + call.duration
        sample = Sample(call.cost.total, 1, 1100, 0, 0, model)
        self.pure += self.watch.update(at, scopes, sample)
        for scope in scopes:
            self.forecasters.setdefault(scope, Forecaster()).update(at, call.cost.total or 0.0)

    def round(self, first: int) -> None:
        """All processes write; then each takes in what it finds due, ``first`` the first."""
        for sums, part in zip(self.sums, self.parts, strict=True):
            part.send(sums.drain())
        for process in range(len(self.parts)):
            self.parts[process - first].advance()
            self.told += self.parts[process - first].news()


@pytest.fixture(params=["memory", "sqlite"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    clock = Clock(START)
    url = "memory://" if request.param == "memory" else f"sqlite://{tmp_path}/ledger.db"
    first = open_feed(url, clock)
    return Program(clock, [first, first if request.param == "memory" else open_feed(url, clock)])


def run(program: Program, end: float = END) -> None:
    source = random.Random(1)
    for step in range(int((end - START) / STEP)):
        at = START + step * STEP
        for number, call in enumerate(calls_of(at, source)):
            program.call(call, number % 2)
        if step % 12 == 11:
            program.clock.at = at + STEP + GRACE_S
            program.round(step // 12 % 2)
    program.pure += program.watch.advance(end)


def test_forecasts_and_reports_are_those_of_the_engines_alone(program: Program) -> None:
    run(program)
    month_end = START + 30 * DAY
    for scope, forecaster in program.forecasters.items():
        key = f"{scope.kind}={scope.name}" if scope.name else "global"
        series = restored(key, program.feeds[1].states([key])[key])
        mine, pure = series.forecaster.predict(month_end, END), forecaster.predict(month_end, END)
        assert mine.mean == pytest.approx(pure.mean, rel=1e-9)
        assert mine.upper(0.95) == pytest.approx(pure.upper(0.95), rel=1e-9)
    assert [(one.incident, one.event, one.severity, one.cause) for one in program.told] == [
        (one.incident, one.event, one.severity, one.cause)
        for one in sorted(program.pure, key=lambda one: (one.timestamp, one.scope))
    ]
    assert [report_of(found_of(report).report) for report in program.told] == program.told
    label = next(one for one in program.told if one.scope == Scope("label", "summarization"))
    assert (label.event, label.cause, label.change.before, label.change.after) == (
        "opened",
        "model",
        "gpt-5-mini",
        "gpt-5.4",
    )
    assert 0 < label.timestamp - FAULT_AT <= 2 * STEP


def test_an_incident_ends_where_no_call_comes(program: Program) -> None:
    run(program)
    opened = {one.incident for one in program.told if one.event == "opened"}
    assert opened
    program.clock.at += DAY
    program.round(0)
    assert {one.incident for one in program.told if one.event == "closed"} == opened
    program.clock.at += DAY
    program.round(1)
    assert program.feeds[0].awake() == []


def test_the_month_is_summed_and_begins_anew() -> None:
    clock = Clock(START)
    feed = MemoryFeed(clock)
    part, sums = Foresight(feed, WatchSettings()), CallSums()
    for day, cost in ((0, 1.0), (3, 2.0), (20, 4.0)):
        sums.add(a_call(day, started_ns=START_NS + int(day * DAY * 1e9), cost=cost))
        clock.at = START + day * DAY + 3600
        part.send(sums.drain())
        part.advance()
        if day == 3:
            assert restored("global", feed.states(["global"])["global"]).spent(clock.at) == pytest.approx(3.0)
    series = restored("global", feed.states(["global"])["global"])
    assert series.spent(clock.at) == pytest.approx(4.0)
    assert series.spent(clock.at + 30 * DAY) == 0.0


class Failing(MemoryFeed):
    """A feed that can't be reached for a while; ``answers_lost`` does the work and loses the answer."""

    failing = False
    answers_lost = False

    def add(self, rows, once):  # type: ignore[no-untyped-def]
        if self.answers_lost:
            super().add(rows, once)
        if self.failing or self.answers_lost:
            raise LedgerFailure("unreachable")
        super().add(rows, once)


@pytest.mark.parametrize("how", ["failing", "answers_lost"])
def test_nothing_is_lost_or_booked_twice_where_the_ledger_fails(how: str) -> None:
    clock = Clock(START)
    feed = Failing(clock)
    part, sums = Foresight(feed, WatchSettings()), CallSums()
    setattr(feed, how, True)
    for number in range(3):
        sums.add(a_call(number, cost=1.0))
        part.send(sums.drain())
    setattr(feed, how, False)
    part.send([])
    clock.at += 3600
    part.advance()
    assert restored("global", feed.states(["global"])["global"]).spent(clock.at) == pytest.approx(3.0)


def test_what_a_process_left_at_its_end_is_booked_once(tmp_path: Path) -> None:
    clock, tray, sums = Clock(START), Tray(tmp_path / "tray"), CallSums()
    feed = MemoryFeed(clock)
    sums.add(a_call(1, cost=1.0))
    tray.leave(sums.drain())
    (left,) = tray.found()
    kept = (tray.folder / left).read_bytes()
    Foresight(feed, WatchSettings(), tray=tray).send([])
    assert tray.found() == []
    (tray.folder / left).write_bytes(kept)  # as after a crash between booking and deleting
    part = Foresight(feed, WatchSettings(), tray=tray)
    part.send([])
    (tray.folder / "damaged").write_bytes(b"[[1,")
    part.send([])
    assert tray.found() == []
    clock.at += 3600
    part.advance()
    assert restored("global", feed.states(["global"])["global"]).spent(clock.at) == pytest.approx(1.0)


def test_a_call_after_a_failed_one_is_a_retry() -> None:
    sums = CallSums()
    failed = a_call(1, error_type="429", cost=None)
    sums.add(failed)
    sums.add(replace(failed, id="2", started_ns=failed.started_ns + 2 * 10**9, error_type=None))
    sums.add(replace(failed, id="3", started_ns=failed.started_ns + 3 * 10**9, error_type=None))
    (row,) = sums.drain()
    assert row[2][4:] == [1, 1]
    late = replace(failed, id="4", started_ns=failed.started_ns + 100 * 10**9, error_type="timeout")
    sums.add(late)
    sums.add(replace(late, id="5", started_ns=late.started_ns + 120 * 10**9, error_type=None))
    assert sum(row[2][5] for row in sums.drain()) == 0


def test_a_folder_that_cannot_be_written_is_no_fault_of_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "a file, not a folder"
    folder.write_text("")
    outlook = OutlookSpanProcessor(OutlookSettings(ledger="sqlite:///nosuch/ledger.db", folder=folder))
    outlook._sums.add(a_call(1))
    with caplog.at_level("INFO", logger="llmcost"):
        assert outlook.force_flush(), "under LLMCOST_STRICT a fault would be raised"
    outlook.shutdown()
    assert ["Not a directory" in record.message and record.levelname == "INFO" for record in caplog.records] == [True]
