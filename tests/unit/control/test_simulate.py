"""A replay does to stored calls what an enforced run did to them, call by call."""

from __future__ import annotations

import random
from functools import partial

from ledgers import START, Clock

from llmcost.control import (
    Admission,
    Budget,
    Controller,
    Limits,
    PastCall,
    Quote,
    Verdict,
    enforced,
    in_order,
    replay,
    simulate,
)
from llmcost.control.ledger.memory import MemoryLedger

NANO = 10**9
BUDGETS = (
    Budget(name="service", monthly=40, daily=9, thresholds=Budget(name="x", daily=1).thresholds, mode="block"),
    Budget(
        name="users",
        scope="user",
        daily=2,
        rolling={"6h": 1.2},
        fallbacks={"large": ("small",)},
        overrides={"u3": Limits(daily=0.5)},
        timezone="America/New_York",
    ),
    Budget(name="strict", scope="label", hourly=1.5, bound="strict"),
    Budget(name="runs", scope="run", max_calls=12, max_repeats=4),
    Budget(name="shadow", daily=1, mode="observe"),
)


def tenth(cost: int, _: str) -> int:
    return cost // 10


def smaller(cost: int, _: str) -> Quote:
    return Quote("priced", cost // 10, cost // 5)


def stored(count: int = 1_500) -> list[PastCall]:
    chance = random.Random(7)
    calls = []
    at = START
    for number in range(count):
        at += chance.expovariate(1 / 120)
        cost = int(chance.lognormvariate(-3.5, 1) * NANO)
        quote = Quote("priced", cost, cost * 2) if chance.random() < 0.97 else Quote("unpriced")
        admission = Admission(
            f"c{number:05}",
            at,
            chance.choice(["large", "large", "small"]),
            {"user": f"u{chance.randint(1, 5)}", "label": chance.choice("abc"), "run": f"r{number // 40}"},
            quote,
            quote_for=partial(smaller, cost),
            prompt_hash=f"p{chance.randint(1, 12)}",
        )
        known = cost if quote.has_price else None
        calls.append(PastCall(admission, known, chance.uniform(0.1, 300), reprice=partial(tenth, known or 0)))
    return calls


def run_enforced(calls: list[PastCall]) -> list[tuple[str, str | None]]:
    """The same calls as a program would have made them, with an engine at work: events in the order of time."""
    clock = Clock()
    controller = Controller(BUDGETS, MemoryLedger(clock), series=())
    events = [(call.admission.started, 1, number) for number, call in enumerate(calls)]
    events += [(call.admission.started + call.duration, 0, number) for number, call in enumerate(calls)]
    verdicts: dict[int, Verdict] = {}
    for at, is_start, number in sorted(events):
        clock.at = at
        call = calls[number]
        if is_start:
            verdicts[number] = controller.admit(call.admission)
        elif verdicts[number].action != "block":
            controller.settle(verdicts[number], (call.actual or 0) // 10 if verdicts[number].model else call.actual)
    return [(verdicts[number].action, verdicts[number].model) for number in range(len(calls))]


def test_the_replay_equals_an_enforced_run_call_by_call() -> None:
    calls = stored()
    shuffled = calls.copy()
    random.Random(1).shuffle(shuffled)
    replayed = list(replay(BUDGETS, in_order(shuffled)))
    assert [row.call.admission.call_id for row in replayed] == [call.admission.call_id for call in calls]
    actions = [(row.verdict.action, row.verdict.model) for row in replayed]
    assert actions == run_enforced(calls)
    assert len(set(actions)) == 4


def test_the_sum_says_how_many_for_whom_and_the_money() -> None:
    calls = stored()
    result = simulate(BUDGETS, calls)
    rows = list(replay(BUDGETS, calls))
    assert sum(result.calls.values()) == len(calls)
    assert result.calls["block"] == sum(row.verdict.action == "block" for row in rows)
    assert result.spent_then == sum(call.actual or 0 for call in calls)
    assert result.spent_now == sum(row.spent or 0 for row in rows)
    assert result.unpriced == sum(call.actual is None for call in calls)
    assert result.saved == sum(row.saved for row in result.affected.values()) > 0
    assert result.affected["users", "u3"].calls["block"] > result.affected["users", "u1"].calls["block"]
    assert result.affected["shadow", ""].calls["allow"] > 0


def test_a_shadow_can_be_replayed_as_if_it_counted() -> None:
    shadow = [Budget(name="shadow", daily=1, mode="observe")]
    calls = stored(600)
    quiet = simulate(shadow, calls)
    counted = simulate(enforced(shadow), calls)
    assert quiet.calls["block"] == 0 < counted.calls["block"]
    assert quiet.saved == 0 < counted.saved
