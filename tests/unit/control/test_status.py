"""How budgets stand, and what could be afforded."""

from __future__ import annotations

import pytest
from ledgers import START, Clock

from llmcost.control import Admission, Budget, Controller, LedgerFailure, Limits, Quote
from llmcost.control.ledger.memory import MemoryLedger

NANO = 10**9


class Gone(MemoryLedger):
    """Cannot be read."""

    def states(self, counters: object) -> object:  # type: ignore[override]
        raise LedgerFailure("unreachable", "gone")


def engine(*budgets: Budget, at: float = START, ledger: MemoryLedger | None = None) -> Controller:
    return Controller(budgets, ledger or MemoryLedger(Clock(at)))


def spend(controller: Controller, usd: float, **values: str) -> None:
    quote = Quote("priced", int(usd * NANO), int(usd * NANO))
    at = controller.ledger.now()
    verdict = controller.admit(Admission(f"{values}{usd}{at}", at, "m", values, quote))
    controller.settle(verdict, int(usd * NANO))


@pytest.mark.parametrize(
    ("limits", "spent", "cost", "ok"),
    [
        # The forerunner answered yes to the first three.
        ({"weekly": 0.1}, 0.1, 5, False),
        ({"daily": 10, "total": 0.1}, 0.1, 5, False),
        ({"daily": 0.1}, 0, 1_000, False),
        ({"daily": 0}, 0, 0.01, False),
        ({"monthly": 1}, 0.5, 0.5, True),
        ({"rolling": {"1h": 1}}, 0.9, 0.2, False),
        ({"daily": 1, "total": 1}, 1, 0, True),
    ],
)
def test_every_window_is_looked_at(limits: dict[str, float], spent: float, cost: float, ok: bool) -> None:
    controller = engine(Budget(name="b", scope="user", **limits))  # type: ignore[arg-type]
    if spent:
        spend(controller, spent, user="u")
    answer = controller.status.can_afford({"user": "u"}, cost)
    assert answer.ok is ok
    assert (answer.action == "block") is not ok
    assert ("does not fit" in answer.message) is not ok


def test_warnings_and_smaller_models_are_foretold() -> None:
    controller = engine(Budget(name="b", daily=10, fallbacks={"large": ("small",)}))
    spend(controller, 9.5)
    assert controller.status.can_afford({"model": "large"}, 0.1).action == "degrade"
    assert controller.status.can_afford({"model": "other"}, 0.1).action == "warn"


def test_the_status_is_what_enforcement_uses() -> None:
    """B1: one instant of reset, with its zone, for people and for calls."""
    controller = engine(Budget(name="b", daily=10, timezone="Asia/Tokyo"))
    spend(controller, 10)
    blocked = controller.admit(Admission("x", START, "m", {}, Quote("priced", NANO, NANO)))
    (standing,) = controller.status.standings()
    assert blocked.decisive is not None
    assert standing.resets_at == blocked.decisive.resets_at
    assert standing.timezone == "Asia/Tokyo"
    assert (standing.limit, standing.spent, standing.held, standing.remaining) == (10, 10, 0, 0)
    assert (standing.used_ratio, standing.calls, standing.verified) == (1.0, 1, True)


def test_global_budgets_given_values_and_overrides_are_listed() -> None:
    controller = engine(
        Budget(name="all", monthly=100, max_calls=5),
        Budget(name="users", scope="user", daily=1, overrides={"vip": Limits(daily=9)}),
        Budget(name="labels", scope="label", overrides={"chat": Limits(weekly=3)}),
    )
    spend(controller, 0.5, user="u1", label="chat")
    rows = controller.status.standings({"user": "u1"})
    assert [(row.budget, row.value, row.window, row.limit, row.spent) for row in rows] == [
        ("all", "", "monthly", 100, 0.5),
        ("all", "", "calls", None, 0.5),
        ("users", "u1", "daily", 1, 0.5),
        ("labels", "chat", "weekly", 3, 0.5),
    ]
    assert (rows[1].used_ratio, rows[1].calls, rows[1].max_calls) == (0.2, 1, 5)
    everybody = controller.status.standings()
    assert ("users", "vip", 9) in [(row.budget, row.value, row.limit) for row in everybody]


@pytest.mark.parametrize(("rule", "ok"), [("block", False), ("allow", True)])
def test_what_cannot_be_read_is_said(rule: str, ok: bool) -> None:
    budget = Budget(name="b", daily=1, on_failure=rule)  # type: ignore[arg-type]
    controller = engine(budget, ledger=Gone(Clock()))
    assert controller.status.can_afford({}, 0.1).ok is ok
    assert [row.verified for row in controller.status.standings()] == [False]


def test_a_limit_set_while_the_program_runs_counts_for_status_and_calls() -> None:
    clock = Clock(START)
    ledger = MemoryLedger(clock)
    budget = Budget(name="b", scope="user", daily=1, overrides={"vip": Limits(daily=5)})
    running, operator = Controller([budget], ledger), Controller([budget], ledger)
    spend(running, 1.0, user="u")
    spend(running, 5.0, user="vip")
    assert not running.status.can_afford({"user": "u"}, 0.5).ok
    ledger.set_limit("b|user=*|daily", 2 * NANO)
    assert operator.status.can_afford({"user": "u"}, 0.5).ok
    assert not operator.status.can_afford({"user": "vip"}, 0.5).ok
    assert [row.limit for row in operator.status.standings({"user": "u"})] == [2.0]
    quote = Quote("priced", NANO // 2, NANO // 2)
    clock.at += 6
    assert running.admit(Admission("late", clock.at, "m", {"user": "u"}, quote)).action != "block"
    ledger.set_limit("b|user=u|daily", 0)
    clock.at += 6
    assert running.admit(Admission("later", clock.at, "m", {"user": "u"}, quote)).action == "block"
    ledger.set_limit("b|user=u|daily", None)
    ledger.set_limit("b|user=*|daily", None)
    assert [row.limit for row in operator.status.standings()] == [5.0]
