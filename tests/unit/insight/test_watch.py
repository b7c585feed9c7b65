"""The watch: incidents with their cause, from the calls of made-up keys."""

from __future__ import annotations

import json
import math
import pickle
import random

import pytest

from llmcost.insight import GLOBAL, SEVERITIES, Anomaly, Sample, Scope, Severity, Watch, WatchSettings
from llmcost.insight.causes import Profile, describe, explain
from llmcost.insight.shares import ShareJudge

BUCKET = 600.0
DAY_BUCKETS = 144
START = 1735689600.0
LABEL = Scope("label", "summarization")


class Program:
    """Calls of one label: some thirty a bucket, each of a cent and a thousand tokens."""

    def __init__(self, settings: WatchSettings | None = None, scopes: tuple[Scope, ...] = (LABEL,)) -> None:
        self.watch = Watch(settings)
        self.scopes = scopes
        self.random = random.Random(4)
        self.now = 0
        self.found: list[Anomaly] = []

    def live(
        self,
        buckets: int,
        *,
        calls: float = 1.0,
        price: float = 1.0,
        tokens: float = 1.0,
        model: str = "gpt-5-mini",
        retries: float = 0.0,
        errors: float = 0.0,
    ) -> list[Anomaly]:
        before = len(self.found)
        for _ in range(buckets):
            by_day = 1 + 0.5 * math.sin(2 * math.pi * self.now / DAY_BUCKETS)
            made = round(30 * calls * by_day * self.random.lognormvariate(0, 0.1))
            begin = START + self.now * BUCKET
            sample = Sample(
                cost=made * 0.01 * price * self.random.lognormvariate(0, 0.03),
                calls=made,
                tokens=round(made * 1000 * tokens),
                errors=round(made * errors),
                retries=round(made * retries),
                model=model,
            )
            self.found += self.watch.update(begin + 5, self.scopes, sample)
            self.found += self.watch.advance(begin + BUCKET)
            self.now += 1
        return self.found[before:]


def grown(sensitivity: Severity = "medium", at_least: float = 0.0, scopes: tuple[Scope, ...] = (LABEL,)) -> Program:
    program = Program(WatchSettings(sensitivity=sensitivity, at_least=at_least), scopes)
    program.live(7 * DAY_BUCKETS)
    program.found.clear()
    return program


@pytest.fixture
def program() -> Program:
    return grown()


def opened(found: list[Anomaly]) -> Anomaly:
    first = found[0]
    assert first.event == "opened"
    return first


def test_usual_weeks_give_few_reports_and_none_that_costs(program: Program) -> None:
    found = program.live(14 * DAY_BUCKETS)
    assert sum(1 for report in found if report.event == "opened") <= 2
    program = grown(at_least=1.0)
    assert program.live(14 * DAY_BUCKETS) == []


def test_more_calls(program: Program) -> None:
    report = opened(program.live(2, calls=10.0))
    assert report.cause == "calls"
    assert report.change.measure == "calls a bucket"
    assert isinstance(report.change.before, float)
    assert isinstance(report.change.after, float)
    assert report.change.after == pytest.approx(10 * report.change.before, rel=0.3)
    assert report.excess == pytest.approx(report.actual - report.expected)


def test_a_dearer_model(program: Program) -> None:
    began = START + program.now * BUCKET
    report = opened(program.live(3, price=5.0, model="gpt-5.4"))
    assert (report.cause, report.change.before, report.change.after) == ("model", "gpt-5-mini", "gpt-5.4")
    assert report.since == began
    assert "gpt-5-mini became gpt-5.4" in report.description
    assert "calls unchanged" in report.description
    assert "label summarization" in report.description


def test_swollen_prompts(program: Program) -> None:
    report = opened(program.live(3, price=5.0, tokens=5.0))
    assert report.cause == "tokens"
    assert report.change.before == pytest.approx(1000, rel=0.05)
    assert report.change.after == pytest.approx(5000, rel=0.05)


def test_a_higher_price_of_the_same_model(program: Program) -> None:
    assert opened(program.live(3, price=5.0)).cause == "price"


def test_retries_are_counted_directly(program: Program) -> None:
    report = opened(program.live(3, calls=2.0, retries=0.5))
    assert report.cause == "retries"
    assert report.change.after == pytest.approx(0.5, abs=0.1)


def test_errors_are_reported_though_they_cost_nothing(program: Program) -> None:
    report = opened(program.live(3, price=0.4, errors=0.6))
    assert report.cause == "errors"
    assert report.excess == 0.0


def test_the_money_so_far_is_what_the_change_cost(program: Program) -> None:
    program.live(6, price=5.0, model="gpt-5.4")
    closed = next(report for report in program.live(60) if report.event == "closed")
    assert closed.excess == pytest.approx(closed.actual * 0.8, rel=0.1)


def test_an_incident_opens_escalates_and_closes_once() -> None:
    program = grown(sensitivity="high")
    program.live(2, calls=1.9)
    program.live(2, calls=40.0)
    program.live(80)
    events = [report.event for report in program.found]
    assert events[0] == "opened"
    assert events.count("opened") == 1
    assert "escalated" in events
    assert events[-1] == "closed"
    assert len({report.incident for report in program.found}) == 1
    ranks = [SEVERITIES.index(report.severity) for report in program.found]
    assert ranks == sorted(ranks)


def test_a_persistent_change_is_reported_once(program: Program) -> None:
    found = program.live(DAY_BUCKETS, price=5.0, model="gpt-5.4")
    assert [report.event for report in found].count("opened") == 1
    assert len(found) <= 3


def test_an_open_incident_says_how_it_stands(program: Program) -> None:
    key = program.watch._keys[LABEL]
    assert key.present is None
    (first, *_) = program.live(6, price=5.0, model="gpt-5.4")
    early = key.present
    program.live(12, price=5.0, model="gpt-5.4")
    late = key.present
    assert early is not None
    assert late is not None
    assert first.incident == early.incident == late.incident
    assert first.excess < early.excess < late.excess
    assert late.timestamp == START + program.now * BUCKET
    program.live(2 * DAY_BUCKETS)
    assert key.present is None


def test_the_sensitivity_says_what_is_reported() -> None:
    counts = []
    for sensitivity in SEVERITIES:
        program = grown(sensitivity)
        for _ in range(10):
            program.live(2, calls=2.2)
            program.live(50)
        counts.append(sum(1 for report in program.found if report.event == "opened"))
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


def test_small_money_is_not_reported() -> None:
    program = grown(at_least=100.0)
    assert program.live(3, calls=30.0) == []
    assert opened(program.live(20, calls=30.0)).excess >= 100.0


def test_each_scope_has_its_own_incident() -> None:
    user = Scope("user", "u1")
    program = grown(scopes=(GLOBAL, user))
    found = program.live(2, calls=10.0)
    assert {report.scope for report in found} == {GLOBAL, user}
    assert len({report.incident for report in found}) == 2


def test_unknown_prices_are_not_zero(program: Program) -> None:
    begin = START + program.now * BUCKET
    usual = program.watch._keys[LABEL]._spend.usual_call
    for bucket in range(3):
        program.watch.update(begin + bucket * BUCKET, [LABEL], Sample(None, calls=30, model="new"))
        program.watch.update(begin + bucket * BUCKET, [LABEL], Sample(0.3, calls=30))
    program.watch.advance(begin + 3 * BUCKET)
    assert usual is not None
    assert program.watch._keys[LABEL]._spend.usual_call == pytest.approx(usual, rel=0.05)


def test_the_key_silent_longest_is_dropped_and_counted() -> None:
    watch = Watch(most_keys=3)
    for number in range(5):
        watch.update(START, [GLOBAL, Scope("user", f"u{number}")], Sample(1.0))
    assert len(watch) == 3
    assert watch.dropped == 3
    assert list(watch._keys) == [Scope("user", "u3"), GLOBAL, Scope("user", "u4")]
    assert watch._active <= set(watch._keys)


def test_idle_keys_are_left_alone() -> None:
    watch = Watch()
    watch.update(START, [LABEL], Sample(1.0))
    assert watch._active
    watch.advance(START + BUCKET)
    assert not watch._active


def test_the_state_is_resumed_in_the_middle_of_an_incident(program: Program) -> None:
    program.live(2, price=5.0, model="gpt-5.4")
    twin = Program()
    twin.watch.load(json.loads(json.dumps(program.watch.dump())))
    twin.now = program.now
    program.random, twin.random = random.Random(8), random.Random(8)
    assert [report.description for report in twin.live(100)] == [report.description for report in program.live(100)]
    assert twin.watch.dump() == program.watch.dump()


def test_the_state_stays_small(program: Program) -> None:
    program.live(10, calls=5.0)
    assert len(pickle.dumps(program.watch.dump())) <= 2000


def test_two_processes_that_see_the_same_buckets_name_the_same_incident(program: Program) -> None:
    other = grown()
    names = [[report.incident for report in each.live(3, calls=10.0)] for each in (program, other)]
    assert names[0] == names[1]
    assert names[0][0].startswith("label:summarization:")


def test_what_has_no_usual_is_told_without_ratio() -> None:
    nothing = Profile(calls=0.0, call_cost=None, call_tokens=None, errors=0.0, retries=0.0, model=None)
    some = Profile(calls=12.0, call_cost=0.01, call_tokens=None, errors=0.0, retries=0.0, model="m")
    cause, _ = explain(nothing, some)
    assert cause == "calls"
    assert describe(cause, nothing, some) == (
        "calls 12 a bucket, where there were none; cost of a call $0.01, where there were none"
    )
    assert describe("calls", some, nothing).endswith("cost of a call unknown")


def test_a_few_failed_calls_are_no_news() -> None:
    judge = ShareJudge(warm=10)
    assert [judge.weigh(0, 5) for _ in range(50)] == [0.0] * 50
    assert judge.weigh(1, 5) == 0.0
    assert judge.weigh(5, 5) >= 1.0


def test_a_bad_hour_does_not_become_the_habit() -> None:
    judge = ShareJudge(warm=10)
    for _ in range(200):
        judge.weigh(0, 20)
    for _ in range(6):
        judge.weigh(20, 20)
    assert judge.usual < 0.05


def test_calls_that_only_come_more_often_are_told_by_their_spend() -> None:
    same = Profile(4.0, 0.02, 900.0, 0.0, 0.0, "gpt-5-mini")
    assert describe("calls", same, same, (1.2, 3.0)) == (
        "spend x2.5 ($1.2 → $3); calls unchanged; cost of a call unchanged"
    )
    assert describe("calls", same, same) == "calls unchanged; cost of a call unchanged"
