"""Forks: a child spends through its own connection; a ledger in memory says that it cannot."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable

import pytest
from ledgers import Bench, counter, wish

from llmcost.control import Admission, Budget, Controller, Quote
from llmcost.control.ledger import LedgerFailure, Reservation
from llmcost.control.ledger.leases import LeasedLedger
from llmcost.control.ledger.steady import SteadyLedger

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked child; returns its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - a child must not run the parent's tests
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_children_share_the_budget_or_say_that_they_cannot(bench: Bench) -> None:
    ledger = bench.open()
    held = ledger.reserve(wish("parent", 40, counter()))
    assert isinstance(held, Reservation)

    def spend() -> None:
        for number in range(2):
            answer = ledger.reserve(wish(f"child{number}", 30, counter()))
            assert isinstance(answer, Reservation)
            ledger.settle(answer, 30)
        assert not isinstance(ledger.reserve(wish("over", 1, counter())), Reservation)

    def fail() -> None:
        with pytest.raises(LedgerFailure, match="forked"):
            ledger.reserve(wish("child", 1, counter()))

    assert in_child(fail if bench.name == "memory" else spend) == 0
    spent = 0 if bench.name == "memory" else 60
    assert ledger.settle(held, 10) == ((10 + spent, 0, 1 if bench.name == "memory" else 3),)


def test_a_fork_while_other_threads_hold_the_locks(bench: Bench) -> None:
    """The lock of a thread that is not in the child would never be released there."""
    if bench.name == "memory":
        pytest.skip("a ledger in memory ends at a fork")
    ledger = SteadyLedger(bench.open())
    ledger.reserve(wish("first", 1, counter()))
    file = getattr(ledger._inner, "_file", None)
    lock = file._lock if file is not None else threading.Lock()

    def spend() -> None:
        assert isinstance(ledger.reserve(wish("child", 1, counter())), Reservation)

    with lock, ledger._journal._lock, ledger._mirror._lock, ledger._catching_up:
        assert in_child(spend) == 0
    assert ledger.states([counter()]) == ((0, 2, 2),)


def test_what_waits_and_what_is_leased_stays_with_the_parent(bench: Bench) -> None:
    if bench.name == "memory":
        pytest.skip("a ledger in memory ends at a fork")
    hot = counter(limit=10**9)
    steady = SteadyLedger(bench.open())
    ledger = LeasedLedger(steady, lambda _: True)
    mine = ledger.reserve(wish("mine", 10, hot))
    assert isinstance(mine, Reservation)

    def spend() -> None:
        answer = ledger.reserve(wish("child", 10, hot))
        assert isinstance(answer, Reservation)
        ledger.settle(answer, 7)
        ledger.close()
        assert ledger.states([hot])[0][0] == 7

    assert in_child(spend) == 0
    ledger.settle(mine, 5)
    ledger.close()
    assert ledger.states([hot]) == ((12, 0, 2),)


def test_a_strict_budget_in_a_child_of_memory_refuses(bench: Bench) -> None:
    """Four forks of a forerunner spent $0.05 each of a budget of $0.10."""
    budget = Budget(name="b", total=0.1, bound="strict")
    controller = Controller([budget], bench.open())

    def spend() -> None:
        quote = Quote("priced", 50_000_000, 50_000_000)
        verdict = controller.admit(Admission(f"c{os.getpid()}", bench.clock.at, "m", {}, quote))
        os._exit(10 if verdict.action == "block" else 20)

    codes = sorted(in_child(spend) for _ in range(4))
    assert codes == ([10] * 4 if bench.name == "memory" else [10, 10, 20, 20])
