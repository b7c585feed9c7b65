"""Limits that are set while programs run."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from ledgers import START, Clock

from llmcost.control import Admission, Budget, Controller, LedgerFailure, Limits, Quote, ledger_for
from llmcost.control.changes import change_limit
from llmcost.control.controller import LOOK_EVERY_S
from llmcost.control.ledger.memory import MemoryLedger
from llmcost.errors import ConfigError

NANO = 10**9
numbers = count()


def admitted(controller: Controller, usd: float = 0.5, **values: str) -> bool:
    """Ask for a call, and make it where it may be made."""
    at = controller.ledger.now()
    nano = int(usd * NANO)
    verdict = controller.admit(Admission(f"c{next(numbers)}", at, "m", values, Quote("priced", nano, nano)))
    if verdict.action != "block":
        controller.settle(verdict, nano)
    return verdict.action != "block"


def limits(controller: Controller, **values: str) -> dict[str, tuple[float | None, bool]]:
    return {
        f"{row.value} {row.window}": (row.limit if row.limit is not None else row.max_calls, row.changed)
        for row in controller.status.standings(values)
    }


def test_another_process_goes_by_it_within_seconds(tmp_path: Path) -> None:
    budget, clock = Budget(name="b", daily=1), Clock()
    url = f"sqlite://{tmp_path}/ledger.db"
    here, there = (Controller([budget], ledger_for(url, [budget], clock=clock), series=()) for _ in range(2))
    assert [admitted(here) for _ in range(3)] == [True, True, False]
    change_limit(there.ledger, budget, None, "daily", "1.5")
    clock.at += LOOK_EVERY_S
    assert [admitted(here) for _ in range(2)] == [True, False]
    change_limit(there.ledger, budget, None, "daily", None)
    change_limit(there.ledger, budget, None, "hourly", 100)
    clock.at += LOOK_EVERY_S
    assert not admitted(here)
    assert limits(here) == {" hourly": (100, True), " daily": (1, False)}


def test_what_is_said_of_one_value_wins_over_what_is_said_of_all() -> None:
    budget = Budget(name="b", scope="user", daily=1, monthly=9, overrides={"vip": Limits(daily=5)})
    ledger = MemoryLedger(Clock())
    for value, window, amount in ((None, "daily", 2), ("u1", "daily", 3), ("u1", "24h", 4), (None, "calls", 6)):
        change_limit(ledger, budget, value, window, amount)
    controller = Controller([budget], ledger, series=())
    everybody = {"vip daily": (5, False), "vip monthly": (9, False), "vip calls": (6, True)}
    assert limits(controller) == everybody
    u1 = {"u1 daily": (3, True), "u1 monthly": (9, False), "u1 rolling 24h": (4, True), "u1 calls": (6, True)}
    assert limits(controller, user="u1") == u1
    assert limits(controller, user="u2")["u2 daily"] == (2, True)


def test_an_old_lease_does_not_outlive_its_limit(tmp_path: Path) -> None:
    budget, clock = Budget(name="b", daily=100, lease=True), Clock()
    controller = Controller([budget], ledger_for(f"sqlite://{tmp_path}/l.db", [budget], clock=clock), series=())
    assert all(admitted(controller, 0.001) for _ in range(10))
    assert controller.ledger.visits == 1  # type: ignore[attr-defined]
    change_limit(controller.ledger, budget, None, "daily", 0.005)
    clock.at += LOOK_EVERY_S
    assert not admitted(controller, 0.001)


def test_a_crossed_threshold_of_a_new_limit_is_told_again() -> None:
    budget, clock = Budget(name="b", daily=1), Clock()
    controller = Controller([budget], MemoryLedger(clock), series=())

    def told(usd: float) -> list[str]:
        nano = int(usd * NANO)
        verdict = controller.admit(Admission(f"c{next(numbers)}", clock.at, "m", {}, Quote("priced", nano, nano)))
        return [warning.message for warning in controller.settle(verdict, nano)]

    assert len(told(0.85)) == 1
    assert told(0.01) == []
    change_limit(controller.ledger, budget, None, "daily", 2)
    clock.at += LOOK_EVERY_S
    assert told(0.5) == []
    assert told(0.3) == ["budget 'b': $1.66 of $2.00 daily used (83 %)"]


def test_a_ledger_that_fails_leaves_what_was_known() -> None:
    class Flaky(MemoryLedger):
        gone = False

        def limits(self) -> Any:
            if self.gone:
                raise LedgerFailure("unreachable", "gone")
            return super().limits()

    budget, clock = Budget(name="b", daily=1), Clock()
    ledger = Flaky(clock)
    change_limit(ledger, budget, None, "daily", 0)
    controller = Controller([budget], ledger, series=())
    assert not admitted(controller)
    ledger.gone = True
    clock.at += LOOK_EVERY_S
    assert not admitted(controller)


@pytest.mark.parametrize(
    ("window", "amount", "words"),
    [
        ("dayly", 1, "'dayly' is none of hourly, daily, weekly, monthly, total, calls, nor a length as 24h"),
        ("daily", "much", "'much' is not an amount of money"),
        ("daily", -1, "negative"),
        ("calls", 1.5, "1.5 is not a whole number"),
        ("calls", -1, "-1 is not a whole number of 0 or more"),
    ],
)
def test_what_makes_no_limit_is_named(window: str, amount: Any, words: str) -> None:
    ledger = MemoryLedger(Clock(START))
    with pytest.raises(ConfigError, match=words):
        change_limit(ledger, Budget(name="b", daily=1), None, window, amount)
    assert ledger.limits() == {}
