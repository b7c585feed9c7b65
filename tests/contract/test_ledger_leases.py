"""Leases: hardly any I/O far from the limit, exact at the limit, safe when a process dies."""

from __future__ import annotations

import copy

import pytest
from ledgers import Bench, Clock, counter, wish

from llmcost.control import Budget, ledger_for
from llmcost.control.ledger import Entry, Ledger, LedgerFailure, Option, Refusal, Request, Reservation
from llmcost.control.ledger.leases import LIFE_S, LeasedLedger

BUDGET = Budget(name="b", total=1, lease=True)


@pytest.fixture
def clock(bench: Bench) -> Clock:
    return bench.clock


def leased(bench: Bench) -> LeasedLedger:
    return LeasedLedger(bench.open(), lambda counter: counter.key.startswith("b"))


def test_under_one_call_in_a_hundred_talks_to_the_ledger(bench: Bench) -> None:
    ledger = leased(bench)
    hot = (counter(limit=10**12), counter("b2", limit=None))
    option = Option(hot, (1_000, 1_000))
    for number in range(4_000):
        answer = ledger.reserve(Request(f"c{number}", (option,)))
        assert isinstance(answer, Reservation)
        ledger.settle(answer, 900, [Entry("all", bench.clock.at, 900)])
    assert ledger.visits / 8_000 < 0.01
    ledger.close()
    assert bench_states(bench, ledger, *hot) == ((900 * 4_000, 0, 4_000),) * 2
    assert ledger.spend("all", bench.clock.at - 900, bench.clock.at + 900)[0][1:] == (900 * 4_000, 4_000)


def bench_states(bench: Bench, ledger: Ledger, *counters: object) -> object:
    other = ledger if bench.name == "memory" else bench.open()
    return other.states(counters)  # type: ignore[arg-type]


def test_two_processes_spend_the_last_nano_dollar_and_no_more(bench: Bench) -> None:
    one = leased(bench)
    other = one if bench.name == "memory" else leased(bench)
    limit = 100_000
    admitted = 0
    for number in range(2_000):
        for name, ledger in (("one", one), ("other", other)):
            answer = ledger.reserve(wish(f"{name}{number}", 70, counter(limit=limit)))
            if isinstance(answer, Reservation):
                admitted += 1
                ledger.settle(answer, 70)
    one.close()
    other.close()
    spent, held, calls = one.states([counter()])[0]
    assert (spent, held, calls) == (70 * admitted, 0, admitted)
    # What another process's lease keeps for itself near the end comes back when that is returned.
    assert limit - 70 * 16 < spent <= limit
    last = [one.reserve(wish(f"last{number}", 70, counter(limit=limit))) for number in range(20)]
    assert isinstance(last[-1], Refusal)


def test_other_budgets_are_not_leased(bench: Bench) -> None:
    ledger = leased(bench)
    for number in range(10):
        answer = ledger.reserve(wish(f"c{number}", 1, counter("a", 10**9)))
        assert isinstance(answer, Reservation)
        ledger.settle(answer, 1)
    counted = counter("b", 10**9, max_calls=5)
    answers = [ledger.reserve(wish(f"d{number}", 0, counted)) for number in range(6)]
    assert [isinstance(answer, Reservation) for answer in answers] == [True] * 5 + [False]
    assert ledger.visits == 10 * 2 + 6


def test_a_lease_is_idempotent_and_gives_releases_back(bench: Bench) -> None:
    ledger = leased(bench)
    hot = counter(limit=10**9)
    first = ledger.reserve(wish("a", 100, hot))
    assert isinstance(first, Reservation)
    assert ledger.reserve(wish("a", 100, hot)) == first
    second = ledger.reserve(wish("b", 100, hot))
    assert isinstance(second, Reservation)
    assert second.states == ((0, 100, 1),)
    assert ledger.settle(first, 30) == ((30, 100, 2),)
    assert ledger.settle(first, 30) is None
    ledger.release(second)
    ledger.close()
    assert ledger.states([hot]) == ((30, 0, 1),)


def test_the_call_that_opened_a_lease_ends_once_more_and_gives_nothing_away(bench: Bench) -> None:
    """Under its id the whole lease is held: two who each make sure must not give that back."""
    ledger = leased(bench)
    hot = counter(limit=10**9)
    first = ledger.reserve(wish("a", 100, hot))
    other = ledger.reserve(wish("b", 100, hot))
    assert isinstance(first, Reservation)
    assert isinstance(other, Reservation)
    ledger.release(first)
    ledger.release(first)
    ledger.renew(first)
    assert ledger.settle(first, 999) is None
    assert ledger.states([hot])[0][1] == 512 * 100
    ledger.settle(other, 30)
    ledger.close()
    assert ledger.states([hot]) == ((30, 0, 1),)


def test_a_child_does_not_end_what_its_parent_holds(bench: Bench) -> None:
    ledger = leased(bench)
    hot = counter(limit=10**9)
    first = ledger.reserve(wish("a", 100, hot))
    assert isinstance(first, Reservation)
    child = copy.copy(ledger)
    child.after_in_child()
    assert child.settle(first, 30) is None
    child.release(first)
    ledger.settle(first, 30)
    ledger.close()
    assert ledger.states([hot]) == ((30, 0, 1),)


def test_an_old_lease_is_returned_when_its_last_call_ends(bench: Bench) -> None:
    ledger = leased(bench)
    hot = counter(limit=10**9)
    slow = ledger.reserve(wish("slow", 100, hot))
    assert isinstance(slow, Reservation)
    bench.clock.at += LIFE_S + 1
    ledger.renew(slow)
    ledger.tidy()
    assert ledger.states([hot])[0][1] == 512 * 100
    quick = ledger.reserve(wish("quick", 100, hot))
    assert isinstance(quick, Reservation)
    ledger.settle(quick, 1)
    ledger.settle(slow, 99)
    ledger.close()
    assert ledger.states([hot]) == ((100, 0, 2),)


def test_the_lease_of_a_process_that_died_counts_as_spent(bench: Bench) -> None:
    """Never over, though nobody knows how much of the slice was spent."""
    ledger = leased(bench)
    hot = counter(limit=10**9)
    answer = ledger.reserve(wish("a", 100, hot))
    assert isinstance(answer, Reservation)
    bench.clock.at += 601
    assert ledger.states([hot])[0][:2] == (512 * 100, 0)
    ledger.settle(answer, 30)
    ledger.close()
    assert ledger.states([hot]) == ((30, 0, 1),)


def test_the_url_and_the_budgets_decide(bench: Bench) -> None:
    if bench.name == "memory":
        assert not isinstance(ledger_for(bench.url, [BUDGET]), LeasedLedger)
        return
    ledger = ledger_for(bench.url, [BUDGET, Budget(name="cold", daily=1)], clock=bench.clock)
    assert isinstance(ledger, LeasedLedger)
    for number in range(5):
        assert isinstance(ledger.reserve(wish(f"c{number}", 1, counter("b|global=|total", 10**9))), Reservation)
    assert ledger.visits == 1
    ledger.reserve(wish("d", 1, counter("cold|global=|daily", 10**9)))
    assert ledger.visits == 2


def test_a_slice_that_cannot_be_returned_now_is_returned_later() -> None:
    """The ledger below keeps the settlement; the next call has its own question."""
    ledger = ledger_for("redis://127.0.0.1:9/0", [BUDGET])
    with pytest.raises(LedgerFailure, match="unreachable"):
        ledger.reserve(wish("a", 1, counter("b|global=|total", 10**9)))


def test_a_reset_by_another_process_is_seen_at_once_but_for_what_slices_had_spent(bench: Bench) -> None:
    """What was spent from a slice counts when that is given back; the slice itself is spent on."""
    if bench.name == "memory":
        pytest.skip("no other process reaches a ledger in memory")
    one, other = leased(bench), bench.open()
    limited = counter(limit=10**6)
    for number in range(3):
        answer = one.reserve(wish(f"c{number}", 70, limited))
        assert isinstance(answer, Reservation)
        one.settle(answer, 70)
    other.reset("b")
    assert bench.open().states([limited])[0][::2] == (0, 1), "what the slice holds counts on, as one call in flight"
    answer = one.reserve(wish("next", 70, limited))
    assert isinstance(answer, Reservation)
    one.settle(answer, 70)
    bench.clock.at += LIFE_S
    one.tidy()
    assert bench.open().states([limited]) == ((4 * 70, 0, 4),)


def test_a_reset_by_another_process_is_seen_by_the_next_call(bench: Bench) -> None:
    if bench.name == "memory":
        pytest.skip("no other process reaches a ledger in memory")
    one, other = bench.open(), bench.open()
    answer = one.reserve(wish("a", 100, counter()))
    assert isinstance(answer, Reservation)
    one.settle(answer, 100)
    assert isinstance(one.reserve(wish("b", 100, counter())), Refusal)
    other.reset("b")
    assert isinstance(one.reserve(wish("c", 100, counter())), Reservation)
