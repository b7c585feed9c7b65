"""Every feed behaves alike: sums, steps that one process takes, states, reports that one process tells."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from ledgers import START, Bench

from llmcost.calls import SLOT_S
from llmcost.control.feed import Feed, FeedRow, Found, Kept, Step, Sums, open_feed, scopes_of, who_of
from llmcost.control.feed.contract import REPORTS_KEPT_S
from llmcost.control.ledger import LedgerFailure

SLOT = int(START)
ONE = who_of({"label": "summarization", "model": "gpt-5-mini"})
OTHER = who_of({"label": "chat", "user": "u=1 [ü]\n"})
GRACE, DAY = 60.0, 86_400.0


@dataclass
class Two:
    """Two processes on one feed; for the memory feed, which has one process, the same feed twice."""

    bench: Bench
    first: Feed
    second: Feed

    def pass_(self, seconds: float) -> None:
        self.bench.clock.at += seconds


@pytest.fixture
def two(bench: Bench) -> Two:
    first = open_feed(bench.url, bench.clock)
    return Two(bench, first, first if bench.name == "memory" else open_feed(bench.url, bench.clock))


def name() -> str:
    return uuid.uuid4().hex


def due(feed: Feed) -> Step:
    step = feed.due(GRACE, DAY)
    assert step is not None
    return step


def test_sums_of_all_processes_add_up_by_slot_and_kind(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(2, 2, 5 * 10**12, 100, 1, 0)), FeedRow(SLOT + SLOT_S, ONE, Sums(1))], name())
    two.second.add([FeedRow(SLOT, ONE, Sums(1, 0, 0, 50, 0, 1)), FeedRow(SLOT, OTHER, Sums(4, 4, 7, 8, 0, 0))], name())
    two.pass_(2 * SLOT_S + GRACE)
    step = due(two.second)
    assert (step.cursor, step.until) == (None, SLOT + 2 * SLOT_S)
    assert list(step.rows) == [
        FeedRow(SLOT, OTHER, Sums(4, 4, 7, 8, 0, 0)),
        FeedRow(SLOT, ONE, Sums(3, 2, 5 * 10**12, 150, 1, 1)),
        FeedRow(SLOT + SLOT_S, ONE, Sums(1)),
    ]
    assert scopes_of(OTHER) == {"label": "chat", "user": "u=1 [ü]\n"}


def test_a_slot_is_due_when_it_has_been_over_for_the_grace(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE - 1)
    assert two.first.due(GRACE, DAY) is None
    two.pass_(1)
    assert due(two.first).until == SLOT + SLOT_S


def test_one_process_takes_a_step(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    mine, yours = due(two.first), due(two.second)
    assert two.first.commit(mine, [Kept("global", "[1]", False)], [])
    assert not two.second.commit(yours, [Kept("global", "[2]", False)], [])
    assert two.second.states(["global", "label=none"]) == {"global": "[1]"}
    assert two.second.due(GRACE, DAY) is None


def test_what_was_added_meanwhile_is_not_lost(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    step = due(two.first)
    two.second.add([FeedRow(SLOT, ONE, Sums(1))], name())
    assert not two.first.commit(step, [], [])
    step = due(two.first)
    two.second.add([FeedRow(SLOT + SLOT_S, ONE, Sums(7))], name())
    assert step.rows[0].sums.calls == 2
    assert two.first.commit(step, [], [])


def test_what_comes_late_counts_in_the_first_open_slot(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    assert two.first.commit(due(two.first), [], [])
    two.second.add([FeedRow(SLOT, ONE, Sums(5))], name())
    two.second.add([FeedRow(SLOT + SLOT_S, ONE, Sums(6))], name())
    two.pass_(SLOT_S)
    assert list(due(two.first).rows) == [FeedRow(SLOT + SLOT_S, ONE, Sums(11))]


def test_a_long_backlog_comes_in_pieces(two: Two) -> None:
    two.first.add((FeedRow(SLOT + day * int(DAY), ONE, Sums(1)) for day in range(3)), name())
    two.pass_(10 * DAY)
    seen = []
    while step := two.first.due(GRACE, DAY):
        seen += [row.slot for row in step.rows]
        assert two.first.commit(step, [], [])
    assert seen == [SLOT + day * int(DAY) for day in range(3)]


def test_a_series_that_is_awake_makes_steps_due_without_rows(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    kept = [Kept("global", "[1]", True), Kept("label=chat", "[2]", False)]
    assert two.first.commit(due(two.first), kept, [])
    assert two.second.awake() == ["global"]
    two.pass_(3600)
    step = due(two.second)
    assert not step.rows
    assert two.second.commit(step, [Kept("global", "[3]", False)], [])
    two.pass_(3600)
    assert two.second.due(GRACE, DAY) is None
    assert two.first.states(["global"]) == {"global": "[3]"}


def test_the_series_silent_longest_are_dropped_and_counted(two: Two) -> None:
    for number in range(3):
        two.first.add([FeedRow(SLOT + number * SLOT_S, ONE, Sums(1))], name())
        two.pass_(SLOT_S + GRACE)
        kept = [Kept("global", "[]", False), Kept(f"user=u{number}", f"[{number}]", True)]
        assert two.first.commit(due(two.first), kept, [], most_keys=2)
    assert two.second.states(["global", "user=u0", "user=u1", "user=u2"]) == {"global": "[]", "user=u2": "[2]"}
    assert two.second.dropped() == 2
    assert two.second.awake() == ["user=u2"]
    assert two.second.keys("user", 10) == ["user=u2"]
    assert two.second.keys("global", 10) == ["global"]
    assert two.second.keys("use", 10) == []


def test_each_report_is_told_by_one_process_and_remembered(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    found = [Found("b", START + 2, '"second"'), Found("a", START + 1, '"first"')]
    assert two.first.commit(due(two.first), [], found)
    assert two.second.take() == ['"first"', '"second"']
    assert two.first.take() == []
    assert two.second.take() == []
    assert two.first.reports(START + 2) == ['"second"']
    assert two.first.reports(0) == ['"first"', '"second"']


def test_a_report_of_the_same_name_is_made_once(two: Two) -> None:
    for number in range(2):
        two.first.add([FeedRow(SLOT + number * SLOT_S, ONE, Sums(1))], name())
        two.pass_(SLOT_S + GRACE)
        assert two.first.commit(due(two.first), [], [Found("a", START, f"{number}")])
    assert two.first.reports(0) == ["0"]
    assert two.second.take() == ["0"]


def test_old_reports_are_forgotten(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    assert two.first.commit(due(two.first), [], [Found("a", START, "0")])
    two.pass_(REPORTS_KEPT_S)
    two.first.add([FeedRow(int(two.bench.clock.at) // SLOT_S * SLOT_S, ONE, Sums(1))], name())
    two.pass_(2 * SLOT_S + GRACE)
    assert two.first.commit(due(two.first), [], [])
    assert two.first.reports(0) == []
    assert two.first.take() == []


def test_a_feed_that_cannot_be_reached_is_a_ledger_failure() -> None:
    feed = open_feed("redis://127.0.0.1:1/0?wait_ms=20")
    with pytest.raises(LedgerFailure):
        feed.add([FeedRow(SLOT, ONE, Sums(1))], name())
    with pytest.raises(LedgerFailure):
        feed.due(GRACE, DAY)


def test_a_batch_is_added_once_by_its_name(two: Two) -> None:
    for feed in (two.first, two.second, two.first):
        feed.add([FeedRow(SLOT, ONE, Sums(1))], "batch")
    two.pass_(SLOT_S + GRACE)
    assert due(two.second).rows[0].sums.calls == 1


def test_one_process_works_on_a_step_and_another_where_that_one_is_gone(two: Two) -> None:
    two.first.add([FeedRow(SLOT, ONE, Sums(1))], name())
    two.pass_(SLOT_S + GRACE)
    step = due(two.first)
    assert two.first.claim(step, 0.001 if two.bench.name == "redis" else 30.0)
    if two.bench.name != "redis":  # its claims go by the server's clock
        assert not two.second.claim(step, 30.0)
        two.pass_(31.0)
    while not two.second.claim(step, 30.0):
        pass
    assert not two.first.claim(step, 30.0)
    assert two.second.commit(step, [], [])
    two.first.add([FeedRow(SLOT + SLOT_S, ONE, Sums(1))], name())
    two.pass_(SLOT_S)
    assert two.first.claim(due(two.first), 30.0)
