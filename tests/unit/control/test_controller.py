"""Calls against budgets: allowed, warned, degraded, blocked, settled."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from ledgers import START, Clock

from llmcost.control import (
    UNPRICED,
    Admission,
    Budget,
    Controller,
    LedgerFailure,
    Limits,
    Quote,
    Thresholds,
    Verdict,
    series_name,
)
from llmcost.control.admission import PriceStatus
from llmcost.control.budget import SCOPES
from llmcost.control.ledger import Ledger, Reservation
from llmcost.control.ledger.memory import MemoryLedger

NANO = 10**9
_ids = count()


def call(cost: float = 1.0, **more: object) -> Admission:
    values = {key: str(value) for key, value in more.items() if key not in Admission._fields}
    known = {key: value for key, value in more.items() if key in Admission._fields}
    settings: dict[str, object] = {
        "call_id": f"c{next(_ids)}",
        "started": START,
        "model": "large",
        "quote": Quote("priced", int(cost * NANO), int(cost * NANO)),
        "quote_for": lambda _: Quote("priced", int(cost * NANO / 10), int(cost * NANO / 10)),
    }
    return Admission(**(settings | known | {"values": values}))  # type: ignore[arg-type]


def engine(*budgets: Budget, clock: Clock | None = None, ledger: Ledger | None = None) -> Controller:
    return Controller(budgets, ledger or MemoryLedger(clock or Clock()))


def spend(controller: Controller, cost: float, **more: object) -> Verdict:
    verdict = controller.admit(call(cost, **more))
    if verdict.action != "block":
        controller.settle(verdict, int(cost * NANO))
    return verdict


def test_no_budget_says_nothing() -> None:
    controller = Controller((), MemoryLedger(Clock()), series=())
    assert not controller.active
    assert controller.admit(call()).action == "allow"


def test_warn_degrade_block_in_turn() -> None:
    controller = engine(Budget(name="b", daily=10, fallbacks={"large": ("small",)}))
    actions = []
    for _ in range(12):
        verdict = controller.admit(call(1))
        actions.append((verdict.action, verdict.model))
        if verdict.action != "block":
            controller.settle(verdict, NANO)
    assert actions == [("allow", None)] * 8 + [("warn", None)] + [("degrade", "small")] + [("block", None)] * 2


def test_a_refusal_names_the_budget_and_when_it_resets() -> None:
    controller = engine(Budget(name="users", scope="user", daily=1))
    spend(controller, 0.75, user="u1")
    verdict = controller.admit(call(0.5, user="u1"))
    assert (verdict.action, verdict.budget) == ("block", "users")
    assert verdict.message == "budget 'users' of user 'u1': $0.75 of $1.00 daily used (75 %), this call does not fit"
    decision = verdict.decisive
    assert decision is not None
    assert decision.resets_at == START - 8 * 3600 + 86_400
    assert verdict.reservation is None


def test_each_value_has_its_own_money_and_overrides_their_own() -> None:
    budget = Budget(name="users", scope="user", daily=1, overrides={"vip": Limits(daily=3), "none": Limits(daily=0)})
    controller = engine(budget)
    assert spend(controller, 1, user="u1").action == "allow"
    assert spend(controller, 1, user="u1").action == "block"
    assert spend(controller, 1, user="u2").action == "allow"
    assert [spend(controller, 1, user="vip").action for _ in range(4)] == ["allow", "allow", "allow", "block"]
    assert spend(controller, 0.01, user="none").action == "block"
    assert spend(controller, 100).action == "allow"


@pytest.mark.parametrize("scope", [scope for scope in (*SCOPES, "tenant") if scope not in ("global", "model")])
def test_any_scope_limits(scope: str) -> None:
    controller = engine(Budget(name="b", scope=scope, total=1))
    assert spend(controller, 1, **{scope: "x"}).action == "allow"
    assert spend(controller, 1, **{scope: "x"}).action == "block"
    assert spend(controller, 1, **{scope: "y"}).action == "allow"


def test_the_model_is_a_scope() -> None:
    """The large model's own budget is used up; its fallback has one too."""
    budget = Budget(name="m", scope="model", daily=1, fallbacks={"large": ("small",)})
    controller = engine(budget)
    assert spend(controller, 0.95).action == "allow"
    verdict = controller.admit(call(1))
    assert (verdict.action, verdict.model, verdict.budget) == ("degrade", "small", "m")
    controller.settle(verdict, NANO)
    blocked = controller.admit(call(1))
    assert blocked.action == "block"


@pytest.mark.parametrize(
    ("mode", "action", "would"),
    [
        ("observe", "allow", "block"),
        ("warn", "warn", "block"),
        ("degrade", "warn", "block"),
        ("block", "block", "block"),
    ],
)
def test_a_mode_caps_the_answer(mode: str, action: str, would: str) -> None:
    controller = engine(Budget(name="b", daily=1, mode=mode))  # type: ignore[arg-type]
    spend(controller, 1)
    verdict = controller.admit(call(1))
    assert (verdict.action, verdict.would) == (action, would)


def test_the_most_severe_of_several_budgets_wins() -> None:
    soft = Budget(name="soft", daily=1, mode="warn")
    hard = Budget(name="hard", scope="user", daily=1)
    for order in ((soft, hard), (hard, soft)):
        controller = engine(*order)
        spend(controller, 1, user="u")
        verdict = controller.admit(call(1, user="u"))
        assert (verdict.action, verdict.budget) == ("block", "hard")
        assert [decision.budget for decision in verdict.decisions] == ["hard", "soft"]


def test_a_signed_request_is_never_rewritten() -> None:
    controller = engine(Budget(name="b", daily=10, fallbacks={"large": ("small",)}))
    spend(controller, 9.5)
    assert controller.admit(call(0.1)).model == "small"
    kept = controller.admit(call(0.1, rewritable=False))
    assert (kept.action, kept.model) == ("warn", None)


def test_a_smaller_model_that_fits_is_better_than_a_refusal() -> None:
    controller = engine(Budget(name="b", daily=10, fallbacks={"large": ("small",)}))
    spend(controller, 5)
    verdict = controller.admit(call(6))
    assert (verdict.action, verdict.model, verdict.budget) == ("degrade", "small", "b")


def test_strict_refuses_what_nothing_bounds() -> None:
    controller = engine(Budget(name="b", daily=10, bound="strict"))
    verdict = controller.admit(call(quote=Quote("priced", NANO, None, "max_tokens")))
    assert verdict.action == "block"
    assert verdict.message == "budget 'b': nothing bounds this call's cost; set max_tokens"
    assert controller.admit(call(quote=Quote("priced", 1, 9 * NANO))).action == "allow"
    assert controller.admit(call(quote=Quote("priced", 1, 2 * NANO))).action == "block"


def test_fair_holds_what_such_calls_cost() -> None:
    controller = engine(Budget(name="b", daily=100))
    wide = Quote("priced", 5 * NANO, 50 * NANO)
    first = controller.admit(call(quote=wide, label="l"))
    assert first.reservation is not None
    assert first.reservation.option.amounts == (5 * NANO,)
    controller.settle(first, NANO)
    for _ in range(30):
        controller.settle(controller.admit(call(quote=wide, label="l")), NANO)
    later = controller.admit(call(quote=wide, label="l"))
    assert later.reservation is not None
    assert NANO <= later.reservation.option.amounts[0] <= int(1.03 * NANO)


@pytest.mark.parametrize(
    ("unpriced", "bound", "action"),
    [(None, "fair", "warn"), (None, "strict", "block"), ("allow", "strict", "allow"), ("block", "fair", "block")],
)
@pytest.mark.parametrize("status", ["unpriced", "zero_listed"])
def test_a_price_that_is_not_known_is_never_taken_for_free(
    unpriced: str | None, bound: str, action: str, status: PriceStatus
) -> None:
    """B6. A used-up budget lets a call pass whose price the user gives as 0."""
    controller = engine(Budget(name="b", daily=1, unpriced=unpriced, bound=bound))  # type: ignore[arg-type]
    assert controller.admit(call(quote=replace(UNPRICED, status=status))).action == action
    controller = engine(Budget(name="b", daily=1, bound="strict"))
    spend(controller, 1)
    free = controller.admit(call(quote=Quote("free", 0, 0)))
    assert free.action != "block"
    controller.settle(free, 0)


def test_runaway_agents_are_stopped() -> None:
    controller = engine(Budget(name="run", scope="run", max_calls=3, max_depth=2))
    verdicts = [spend(controller, 0, run="r1") for _ in range(4)]
    assert [verdict.action for verdict in verdicts] == ["allow"] * 3 + ["block"]
    assert verdicts[-1].message == "budget 'run' of run 'r1': 3 of 3 calls made"
    deep = controller.admit(call(0, run="r2", depth=3))
    assert deep.action == "block"
    assert deep.message == "budget 'run' of run 'r2': depth 3 is more than 2"
    assert controller.admit(call(0, run="r2", depth=2)).action == "allow"


def test_a_prompt_is_not_repeated_for_ever() -> None:
    controller = engine(Budget(name="run", scope="run", max_repeats=2))
    actions = [spend(controller, 0.1, run="r", prompt_hash="p1").action for _ in range(3)]
    assert actions == ["allow", "allow", "block"]
    assert spend(controller, 0.1, run="r", prompt_hash="p2").action == "allow"
    assert spend(controller, 0.1, run="other", prompt_hash="p1").action == "allow"


def test_a_release_gives_everything_back() -> None:
    controller = engine(Budget(name="b", daily=1, max_calls=1))
    verdict = controller.admit(call(1))
    assert controller.admit(call(1)).action == "block"
    controller.release(verdict)
    assert controller.admit(call(1)).action == "allow"


def test_windows_roll_with_no_call_between() -> None:
    clock = Clock()
    controller = engine(Budget(name="b", daily=1, weekly=2), clock=clock)
    assert spend(controller, 1).action == "allow"
    assert spend(controller, 1).action == "block"
    for days, action in ((1, "allow"), (2, "block"), (3, "allow"), (4, "allow")):
        clock.at = START + days * 86_400
        assert spend(controller, 1, started=clock.at).action == action


def test_a_rolling_window_is_no_calendar_day() -> None:
    clock = Clock(START)
    controller = engine(Budget(name="b", rolling={"24h": 1}), clock=clock)
    assert spend(controller, 1).action == "allow"
    for hours, action in ((12, "block"), (23.9, "block"), (24.9, "allow")):
        clock.at = START + hours * 3600
        assert spend(controller, 1, started=clock.at).action == action


@pytest.mark.parametrize("zone_of_process", ["UTC", "America/Lima"])
def test_a_day_begins_at_local_midnight_whatever_the_machine_thinks(
    zone_of_process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1."""
    monkeypatch.setenv("TZ", zone_of_process)
    midnight = START - START % 86_400 + 15 * 3600
    clock = Clock(midnight - 600)
    controller = engine(Budget(name="b", daily=10, timezone="Asia/Tokyo"), clock=clock)
    assert spend(controller, 10, started=clock.at).action == "allow"
    blocked = controller.admit(call(1, started=clock.at))
    assert blocked.decisive is not None
    assert blocked.decisive.resets_at == midnight
    clock.at = midnight + 1
    verdict = controller.admit(call(1, started=clock.at))
    assert verdict.action == "allow"
    assert verdict.reservation is not None
    assert verdict.reservation.states == ((0, 0, 0),)


def test_a_warning_is_told_once_a_window() -> None:
    """B7 in one process."""
    clock = Clock()
    budget = Budget(name="b", scope="user", daily=10, mode="warn", thresholds=Thresholds(0.8, 0.9, 1.0))
    controller = engine(budget, clock=clock)
    for day in range(2):
        clock.at = START + day * 86_400
        told: list[tuple[str, str]] = []
        for user in ("u1", "u2"):
            for _ in range(30):
                verdict = controller.admit(call(0.5, user=user, started=clock.at))
                news = (*verdict.warnings, *controller.settle(verdict, NANO // 2))
                told.extend((decision.value, decision.would) for decision in news)
        assert sorted(told) == sorted((user, what) for user in ("u1", "u2") for what in ("warn", "degrade", "block"))


class Broken(MemoryLedger):
    """Reads work, writes do not."""

    def reserve(self, request: object) -> object:  # type: ignore[override]
        raise LedgerFailure("unreachable", "gone")


@pytest.mark.parametrize(("rule", "action"), [("block", "block"), ("allow", "allow")])
def test_a_ledger_that_fails_follows_the_rule(rule: str, action: str) -> None:
    """B3: the failure is another reason than an empty budget."""
    controller = engine(Budget(name="b", daily=1, on_failure=rule), ledger=Broken(Clock()))  # type: ignore[arg-type]
    verdict = controller.admit(call(0.1))
    assert verdict.action == action
    assert verdict.decisions[0].cause == "ledger"
    assert verdict.decisions[0].message == "budget 'b': ledger unreachable: gone"
    assert controller.counts["ledger_failures"] == 1
    assert controller.counts["unverified"] == (action == "allow")
    if action == "allow":
        controller.settle(verdict, NANO // 10)
        assert verdict.reservation is not None
        assert controller.ledger.states(verdict.reservation.option.counters) == ((NANO // 10, 0, 1),)


def test_spending_is_kept_as_series() -> None:
    controller = engine(Budget(name="b", daily=100))
    spend(controller, 1, user="u1", label="l1")
    spend(controller, 2, user="u2", label="l1")
    ledger = controller.ledger
    sums = {
        name: sum(bucket.nano for bucket in ledger.spend(name, START - 900, START + 900))
        for name in (series_name("global"), "user=u1", "user=u2", "label=l1", "model=large")
    }
    assert sums == {
        "global": 3 * NANO,
        "user=u1": NANO,
        "user=u2": 2 * NANO,
        "label=l1": 3 * NANO,
        "model=large": 3 * NANO,
    }


def test_series_are_kept_with_no_budget() -> None:
    controller = Controller((), MemoryLedger(Clock()))
    spend(controller, 1, label="l1")
    assert controller.ledger.spend("label=l1", START - 900, START + 900)[0].nano == NANO


def test_cancelled_streams_give_their_holds_back() -> None:
    """B4: 200 streams end early, one is dropped and never settles; the next ordinary call is admitted."""
    clock = Clock()
    controller = engine(Budget(name="b", daily=10, bound="strict"), clock=clock)
    verdicts = [controller.admit(call(0.05)) for _ in range(200)]
    assert {verdict.action for verdict in verdicts} <= {"allow", "warn"}
    assert controller.admit(call(0.05)).action == "block"
    for verdict in verdicts[:-1]:
        controller.renew(verdict)
        controller.settle(verdict, NANO // 1000)
    (standing,) = controller.status.standings()
    assert (standing.spent, standing.held) == (0.199, 0.05)
    clock.at += 601
    (standing,) = controller.status.standings()
    assert (standing.spent, standing.held) == (0.199, 0)
    assert controller.ledger.expired() == (1, 50_000_000)
    assert controller.admit(call(0.05, started=clock.at)).action == "allow"


def test_chunks_renew_a_hold_but_not_each_of_them() -> None:
    clock = Clock()

    class Counting(MemoryLedger):
        renewals = 0

        def renew(self, reservation: Reservation) -> None:
            Counting.renewals += 1
            super().renew(reservation)

    controller = engine(Budget(name="b", daily=10), ledger=Counting(clock))
    verdict = controller.admit(call(1))
    for _ in range(2_000):
        clock.at += 1
        controller.renew(verdict)
    assert Counting.renewals == 2_000 // 120
    assert controller.ledger.expired() == (0, 0)
    assert controller.status.standings()[0].held == 1
