"""One suite over all back ends: what a ledger promises."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator

import pytest
from ledgers import START, Bench, counter, wish

from llmcost.control.ledger import Entry, Ledger, Option, Refusal, Request, Reservation
from llmcost.control.money import MAX_NANO

DAY = 86_400


@pytest.fixture
def ledger(bench: Bench) -> Iterator[Ledger]:
    opened = bench.open()
    yield opened
    opened.close()


def reserved(ledger: Ledger, request: Request) -> Reservation:
    answer = ledger.reserve(request)
    assert isinstance(answer, Reservation)
    return answer


def test_a_hold_counts_until_the_real_cost_takes_its_place(ledger: Ledger) -> None:
    held = reserved(ledger, wish("a", 60, counter()))
    assert held.states == ((0, 0, 0),)
    assert ledger.states([counter()]) == ((0, 60, 1),)
    assert ledger.settle(held, 45) == ((45, 0, 1),)
    assert ledger.states([counter()]) == ((45, 0, 1),)


def test_the_limit_holds_to_the_last_nano_dollar(ledger: Ledger) -> None:
    reserved(ledger, wish("a", 60, counter()))
    refused = ledger.reserve(wish("b", 41, counter()))
    assert refused == Refusal("b", (0,), (((0, 60, 1),),))
    reserved(ledger, wish("c", 40, counter()))
    assert isinstance(ledger.reserve(wish("d", 1, counter())), Refusal)


def test_a_call_may_count_in_more_places_than_a_statement_takes(ledger: Ledger) -> None:
    """SQLite joins 500 SELECTs at most."""
    counters = [counter(f"b|{number}") for number in range(600)]
    held = reserved(ledger, wish("a", 60, *counters))
    assert ledger.states(counters) == ((0, 60, 1),) * 600
    assert isinstance(ledger.reserve(wish("b", 41, *counters)), Refusal)
    ledger.settle(held, 45)
    assert ledger.states(counters) == ((45, 0, 1),) * 600


def test_large_amounts_stay_exact(ledger: Ledger) -> None:
    """A script in Redis that prints its numbers in the usual way loses digits above 10^14 nano-dollars ($100,000)."""
    limit = MAX_NANO
    held = reserved(ledger, wish("a", limit - 2, counter(limit=limit)))
    assert isinstance(ledger.reserve(wish("b", 3, counter(limit=limit))), Refusal)
    reserved(ledger, wish("c", 2, counter(limit=limit)))
    assert ledger.settle(held, limit - 3, [Entry("s", START, limit - 3)]) == ((limit - 3, 2, 2),)
    assert ledger.spend("s", START - DAY, START + DAY, 2 * DAY)[0].nano == limit - 3


def test_zero_means_zero_and_absent_means_no_limit(ledger: Ledger) -> None:
    assert isinstance(ledger.reserve(wish("a", 1, counter(limit=0))), Refusal)
    reserved(ledger, wish("b", 10**12, counter("free", limit=None)))


def test_a_call_that_costs_nothing_passes_a_used_up_budget(ledger: Ledger) -> None:
    ledger.settle(reserved(ledger, wish("a", 100, counter())), 130)
    reserved(ledger, wish("b", 0, counter()))
    assert isinstance(ledger.reserve(wish("c", 1, counter())), Refusal)


def test_all_counters_or_none(ledger: Ledger) -> None:
    user, world = counter("user", 1_000), counter("world", 50)
    answer = ledger.reserve(wish("a", 60, user, world))
    assert isinstance(answer, Refusal)
    assert answer.refused_by == (1,)
    assert ledger.states([user, world]) == ((0, 0, 0), (0, 0, 0))


def test_amounts_may_differ_by_counter(ledger: Ledger) -> None:
    fair, strict = counter("fair", 100), counter("strict", 100)
    held = reserved(ledger, Request("a", (Option((fair, strict), (10, 90)),)))
    assert ledger.states([fair, strict]) == ((0, 10, 1), (0, 90, 1))
    ledger.settle(held, 20)
    assert ledger.states([fair, strict]) == ((20, 0, 1), (20, 0, 1))


def test_the_first_option_that_fits_is_taken(ledger: Ledger) -> None:
    large = Option((counter("b", 100, below=50), counter("large", None)), (30, 30))
    small = Option((counter("b", 100), counter("small", None)), (5, 5))
    assert reserved(ledger, Request("a", (large, small))).choice == 0
    assert reserved(ledger, Request("b", (large, small))).choice == 0
    third = reserved(ledger, Request("c", (large, small)))
    assert third.choice == 1
    assert third.option == small
    states = ledger.states([counter("b"), counter("large"), counter("small")])
    assert states == ((0, 65, 3), (0, 60, 2), (0, 5, 1))
    answer = ledger.reserve(Request("d", (large, Option((counter("b", 66),), (5,)))))
    assert isinstance(answer, Refusal)
    assert answer.refused_by == (0, 0)


def test_calls_are_counted_and_limited(ledger: Ledger) -> None:
    two = counter("run", None, max_calls=2)
    first = reserved(ledger, wish("a", 0, two))
    ledger.settle(first, 0)
    second = reserved(ledger, wish("b", 0, two))
    assert isinstance(ledger.reserve(wish("c", 0, two)), Refusal)
    ledger.release(second)
    reserved(ledger, wish("d", 0, two))


def test_reserve_and_settle_are_idempotent_by_call_id(bench: Bench) -> None:
    ledger = bench.open()
    first = reserved(ledger, wish("a", 60, counter()))
    again = reserved(ledger, wish("a", 60, counter()))
    assert ledger.states([counter()]) == ((0, 60, 1),)
    assert ledger.settle(again, 50, [Entry("s", START, 50)]) == ((50, 0, 1),)
    assert ledger.settle(first, 50, [Entry("s", START, 50)]) is None
    assert reserved(ledger, wish("a", 60, counter())).call_id == "a"
    assert ledger.states([counter()]) == ((50, 0, 1),)
    assert [bucket.nano for bucket in ledger.spend("s", START - DAY, START + DAY)] == [50]


def test_release_gives_back_and_does_not_count(ledger: Ledger) -> None:
    held = reserved(ledger, wish("a", 60, counter()))
    ledger.release(held)
    ledger.release(held)
    assert ledger.states([counter()]) == ((0, 0, 0),)


def test_a_hold_expires_is_counted_and_late_settlement_books(bench: Bench) -> None:
    ledger = bench.open()
    held = reserved(ledger, wish("a", 60, counter()))
    bench.clock.at += 599
    assert ledger.states([counter()]) == ((0, 60, 1),)
    bench.clock.at += 2
    assert ledger.states([counter()]) == ((0, 0, 1),)
    assert ledger.expired() == (1, 60)
    assert ledger.settle(held, 55) == ((55, 0, 1),)
    assert ledger.settle(held, 55) is None


@pytest.mark.parametrize("last", ["states", "expired", "reserve", "tidy"])
def test_no_hold_that_has_expired_counts_however_many_they_are(bench: Bench, last: str) -> None:
    """Two processes of many threads that were killed leave more holds than go in one bite."""
    ledger = bench.open()
    many = 600
    for number in range(many):
        reserved(ledger, wish(f"killed {number}", 7, counter(limit=many * 7)))
    bench.clock.at += 601
    if last == "states":
        assert ledger.states([counter()]) == ((0, 0, many),)
    elif last == "expired":
        assert ledger.expired() == (many, many * 7)
    elif last == "reserve":
        reserved(ledger, wish("a", many * 7, counter(limit=many * 7)))
    else:
        ledger.tidy()
        assert ledger.states([counter()]) == ((0, 0, many),)


def test_chunks_keep_a_hold_alive(bench: Bench) -> None:
    ledger = bench.open()
    held = reserved(ledger, wish("a", 60, counter()))
    for _ in range(5):
        bench.clock.at += 400
        ledger.renew(held)
    assert ledger.states([counter()]) == ((0, 60, 1),)
    assert ledger.expired() == (0, 0)
    bench.clock.at += 601
    assert ledger.states([counter()]) == ((0, 0, 1),)
    ledger.renew(held)
    assert ledger.states([counter()]) == ((0, 60, 1),)
    assert ledger.settle(held, 60) == ((60, 0, 1),)
    ledger.renew(held)
    assert ledger.states([counter()]) == ((60, 0, 1),)


def test_a_lease_that_expires_is_booked_and_put_right_later(bench: Bench) -> None:
    ledger = bench.open()
    lease = reserved(ledger, wish("lease", 60, counter(), keep=True))
    bench.clock.at += 601
    assert ledger.states([counter()]) == ((60, 0, 1),)
    assert ledger.settle(lease, 20) == ((20, 0, 1),)


def test_an_unverified_call_is_booked_with_its_count(ledger: Ledger) -> None:
    option = Option((counter(),), (60,))
    unverified = Reservation("a", 0, option, (), verified=False)
    assert ledger.settle(unverified, 130) == ((130, 0, 1),)


def test_a_reservation_whose_answer_was_lost_leaves_no_hold(ledger: Ledger) -> None:
    """The ledger took the second option, the caller assumed the first."""
    large = Option((counter("b", 10, below=0), counter("large", None)), (60, 60))
    small = Option((counter("b", 100), counter("small", None)), (5, 5))
    assert reserved(ledger, Request("a", (large, small))).choice == 1
    ledger.settle(Reservation("a", 0, large, (), verified=False), 40)
    states = ledger.states([counter("b"), counter("large"), counter("small")])
    assert states == ((40, 0, 1), (40, 0, 1), (0, 0, 0))


def test_the_call_may_cost_more_than_was_held(ledger: Ledger) -> None:
    assert ledger.settle(reserved(ledger, wish("a", 10, counter())), 250) == ((250, 0, 1),)
    assert isinstance(ledger.reserve(wish("b", 1, counter())), Refusal)


def test_windows_are_apart(ledger: Ledger) -> None:
    ledger.settle(reserved(ledger, wish("a", 100, counter(slot=DAY))), 100)
    assert isinstance(ledger.reserve(wish("b", 1, counter(slot=DAY))), Refusal)
    reserved(ledger, wish("c", 100, counter(slot=2 * DAY)))
    assert ledger.states([counter(slot=DAY), counter(slot=2 * DAY)]) == ((100, 0, 1), (0, 100, 1))


def test_a_late_settlement_books_in_the_window_of_its_start(ledger: Ledger) -> None:
    held = reserved(ledger, wish("a", 100, counter(slot=DAY)))
    reserved(ledger, wish("b", 1, counter(slot=2 * DAY)))
    ledger.settle(held, 90)
    assert ledger.states([counter(slot=DAY), counter(slot=2 * DAY)]) == ((90, 0, 1), (0, 1, 1))


def test_a_rolling_window_counts_the_slots_it_spans(ledger: Ledger) -> None:
    def at(slot: int) -> Request:
        start = int(START) + slot
        return wish(f"c{slot}", 40, counter(slot=start, first=start - 200, until=start + 300))

    for slot in (1_000, 1_100):
        ledger.settle(reserved(ledger, at(slot)), 40)
    assert isinstance(ledger.reserve(at(1_200)), Refusal)
    assert ledger.states([counter(slot=int(START) + 1_200, first=int(START) + 1_000)]) == ((80, 0, 2),)
    reserved(ledger, at(1_250))
    assert ledger.states([counter(slot=int(START) + 1_300, first=int(START) + 1_100)]) == ((40, 40, 2),)


def test_series_add_up_in_any_step(ledger: Ledger) -> None:
    entries = [Entry("all", START + 600 * n, n, 1) for n in range(1, 200)]
    ledger.settle(Reservation("a", 0, Option((), ()), ()), 0, entries)
    whole = sum(range(1, 200))
    for step in (900, 3_600, DAY):
        buckets = ledger.spend("all", START, START + 3 * DAY, step)
        assert sum(bucket.nano for bucket in buckets) == whole
        assert sum(bucket.calls for bucket in buckets) == 199
        assert all((bucket.start - START) % step == 0 for bucket in buckets)
    assert ledger.spend("all", START - DAY, START) == []
    assert ledger.spend("other", START, START + DAY) == []
    first, second = ledger.spend("all", START, START + 1_800)
    assert (first.start, first.nano, second.nano) == (START, 1, 2 + 0)


def test_old_buckets_become_days_and_sums_stay(bench: Bench) -> None:
    ledger = bench.open()
    midnight = START // DAY * DAY
    for day in range(3):
        entries = [Entry("all", midnight + day * DAY + 900 * n, 7) for n in range(96)]
        ledger.settle(Reservation(f"d{day}", 0, Option((), ()), ()), 0, entries)
    bench.clock.at = midnight + 42 * DAY + 10
    ledger.tidy()
    days = ledger.spend("all", midnight, midnight + 3 * DAY, DAY)
    assert [bucket.nano for bucket in days] == [7 * 96] * 3
    assert [bucket.calls for bucket in days] == [96] * 3
    fine = ledger.spend("all", midnight, midnight + 3 * DAY)
    assert len(fine) == 1 + 1 + 96
    bench.clock.at = midnight + 900 * DAY
    ledger.tidy()
    ledger.settle(Reservation("late", 0, Option((), ()), ()), 0, [Entry("all", bench.clock.at, 1)])
    assert [bucket.nano for bucket in ledger.spend("all", midnight, bench.clock.at + 1, DAY)] == [1]


def test_ended_windows_are_forgotten_but_not_with_a_hold(bench: Bench) -> None:
    ledger = bench.open()
    ended = counter(slot=DAY, until=int(START) + 60)
    with_hold = counter("held", slot=DAY, until=int(START) + 60)
    open_window = counter(slot=2 * DAY, until=int(START) + 9 * DAY)
    for name, place in (("a", ended), ("b", open_window)):
        ledger.settle(reserved(ledger, wish(name, 10, place)), 10)
    bench.clock.at += 50
    reserved(ledger, wish("c", 10, with_hold))
    bench.clock.at += 500
    ledger.tidy()
    reserved(ledger, wish("d", 10, counter(slot=3 * DAY, until=int(START) + 9 * DAY)))
    assert ledger.states([ended, with_hold, open_window]) == ((0, 0, 0), (0, 10, 1), (10, 0, 1))


def test_a_limit_that_is_set_is_seen_by_all(bench: Bench) -> None:
    one, other = bench.open(), bench.open()
    if bench.name == "memory":
        other = one
    assert other.limits() == {}
    one.set_limit("b|user=u_1|daily", 7 * 10**9)
    one.set_limit("b|user=%|daily", 0)
    assert other.limits() == {"b|user=u_1|daily": 7 * 10**9, "b|user=%|daily": 0}
    other.set_limit("b|user=u_1|daily", 8 * 10**9)
    other.set_limit("b|user=%|daily", None)
    other.set_limit("never there", None)
    assert one.limits() == {"b|user=u_1|daily": 8 * 10**9}


def test_an_incident_is_claimed_once(bench: Bench) -> None:
    one, other = bench.open(), bench.open()
    if bench.name == "memory":
        other = one
    assert one.claim("warn|u1|80", START + 100)
    assert not other.claim("warn|u1|80", START + 100)
    assert other.claim("warn|u2|80", START + 100)
    bench.clock.at += 101
    assert other.claim("warn|u1|80", START + 200)
    assert not one.claim("warn|u1|80", START + 200)


def test_reset_takes_names_as_they_are(ledger: Ledger) -> None:
    counters = [counter("b_1|user=a%|daily"), counter("b_1|user=a%|weekly"), counter("bX1|user=ab|daily")]
    ledger.settle(reserved(ledger, wish("a", 60, *counters)), 60)
    held = reserved(ledger, wish("b", 10, *counters))
    assert ledger.reset("b_1|user=a%") == 2
    assert ledger.states(counters) == ((0, 10, 1), (0, 10, 1), (60, 10, 2))
    ledger.settle(held, 10)
    assert ledger.states(counters) == ((10, 0, 1), (10, 0, 1), (70, 0, 2))


def test_the_keys_of_counters_are_listed(ledger: Ledger) -> None:
    for name in ("b_1|user=a%|daily", "b_1|user=a%|weekly", "b_1|user=b|daily", "bX1|user=a%|daily"):
        for slot in (0, DAY):
            ledger.settle(reserved(ledger, wish(f"{name}{slot}", 1, counter(name, slot=slot))), 1)
    assert ledger.keys("b_1|user=a%") == ["b_1|user=a%|daily", "b_1|user=a%|weekly"]
    assert len(ledger.keys("")) == 4


def test_closing_is_no_end(bench: Bench) -> None:
    ledger = bench.open()
    held = reserved(ledger, wish("a", 60, counter()))
    ledger.close()
    assert ledger.settle(held, 50) == ((50, 0, 1),)


@pytest.mark.parametrize("limit", [5, 12])
def test_threads_at_once_never_overspend(bench: Bench, limit: int) -> None:
    """Forty calls at once on a budget of five: exactly five. The first use is the race: no row is there yet."""
    ledger = bench.open()
    barrier = threading.Barrier(40)
    admitted: list[Reservation] = []

    def one() -> None:
        barrier.wait()
        answer = ledger.reserve(wish(uuid.uuid4().hex, 10, counter("u-new", limit * 10)))
        if isinstance(answer, Reservation):
            admitted.append(answer)

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == limit
    for number, held in enumerate(admitted):
        ledger.settle(held, number)
    assert ledger.states([counter("u-new")]) == ((sum(range(limit)), 0, limit),)


def test_one_settlement_may_stand_for_many_calls(ledger: Ledger) -> None:
    lease = reserved(ledger, wish("lease", 60, counter(), keep=True))
    assert ledger.settle(lease, 50, [Entry("s", START, 50, 7)], 7) == ((50, 0, 7),)


def test_sums_are_given_back_once(ledger: Ledger) -> None:
    rows = [(counter(), (60, 0, 3)), (counter("other", slot=DAY), (7, 0, 1))]
    assert ledger.restore("life-2", rows, [Entry("s", START, 67, 4)])
    assert not ledger.restore("life-2", rows, [Entry("s", START, 67, 4)])
    assert ledger.states([counter(), counter("other", slot=DAY)]) == ((60, 0, 3), (7, 0, 1))
    assert ledger.spend("s", START - DAY, START + DAY)[0][1:] == (67, 4)


def test_sums_come_on_top_of_what_is_known(ledger: Ledger) -> None:
    """Another process may have given its part back before."""
    ledger.settle(reserved(ledger, wish("a", 10, counter())), 10)
    assert ledger.restore("mine", [(counter(), (5, 0, 2))], [])
    assert ledger.states([counter()]) == ((15, 0, 3),)


def test_totals_that_are_used_live_on(bench: Bench) -> None:
    """The total of a run ends a while after its last use, not after its first."""
    ledger = bench.open()
    for day in range(3):
        run = counter("run", until=int(bench.clock.at) + 2 * DAY)
        ledger.settle(reserved(ledger, wish(f"c{day}", 10, run)), 10)
        bench.clock.at += DAY + 60
        ledger.tidy()
        assert ledger.states([run]) == ((10 * (day + 1), 0, day + 1),)
    bench.clock.at += 2 * DAY
    ledger.tidy()
    reserved(ledger, wish("later", 1, counter("run", slot=1, until=int(bench.clock.at) + 2 * DAY)))
    assert ledger.states([counter("run")]) == ((0, 0, 0),)


@pytest.mark.parametrize("keep", [False, True])
def test_a_hold_that_expired_before_its_lost_answer_was_made_good_counts_no_call(bench: Bench, keep: bool) -> None:
    """The call was not made: it leaves neither money nor a call behind. One that went on without is one call."""
    ledger = bench.open()
    free = counter(limit=None)
    for name in ("lost", "went on", "lives on"):
        ledger.reserve(wish(name, 60, free, keep=keep))
    bench.clock.at += 601
    assert ledger.states([free]) == ((180 if keep else 0, 0, 3),)
    ledger.release(Reservation("lost", 0, Option((free,), (60,)), ()))
    assert ledger.states([free]) == ((120 if keep else 0, 0, 2),)
    unverified = Reservation("went on", 0, Option((free,), (5,)), (), verified=False)
    ledger.settle(unverified, 4)
    assert ledger.states([free]) == ((64 if keep else 4, 0, 2),)
    again = Reservation("lives on", 0, Option((free,), (5,)), (), verified=False)
    ledger.renew(again)
    assert ledger.states([free]) == ((4, 5, 2),)
    ledger.settle(again, 3)
    assert ledger.states([free]) == ((7, 0, 2),)


def test_a_wish_that_comes_back_after_its_hold_has_expired_is_asked_anew(bench: Bench) -> None:
    ledger = bench.open()
    tight = counter(limit=100)
    ledger.reserve(wish("a", 60, tight))
    bench.clock.at += 601
    ledger.reserve(wish("b", 60, tight))
    assert isinstance(ledger.reserve(wish("a", 60, tight)), Refusal)
    assert ledger.states([tight]) == ((0, 60, 1),)


def test_what_is_in_flight_at_a_reset_counts_when_it_ends_and_not_below_zero(ledger: Ledger) -> None:
    hot = counter(limit=None)
    ledger.settle(reserved(ledger, wish("before", 60, hot)), 60)
    settled, released = (reserved(ledger, wish(name, 10, hot)) for name in ("settled", "released"))
    assert ledger.reset("b") == 1
    assert ledger.states([hot]) == ((0, 20, 2),)
    ledger.release(released)
    ledger.settle(settled, 7)
    assert ledger.states([hot]) == ((7, 0, 1),)


@pytest.mark.parametrize("keep", [False, True])
def test_a_hold_that_had_expired_before_a_reset_takes_nothing_back_afterwards(bench: Bench, keep: bool) -> None:
    """Its money (of a lease) and its count are gone with the reset; of another counter they are taken back."""
    ledger = bench.open()
    hot, other = counter(limit=None), counter("other", limit=None)
    released, settled, renewed = (
        reserved(ledger, wish(name, 10, hot, other, keep=keep)) for name in ("released", "settled", "renewed")
    )
    bench.clock.at += 601
    assert ledger.states([hot, other]) == ((30 if keep else 0, 0, 3),) * 2
    ledger.reset("b")
    assert ledger.states([hot]) == ((0, 0, 0),)
    ledger.release(released)
    ledger.settle(settled, 4)
    ledger.renew(renewed)
    assert ledger.states([hot, other]) == ((4, 10, 2),) * 2
    ledger.settle(renewed, 5)
    assert ledger.states([hot, other]) == ((9, 0, 2),) * 2


def test_a_lease_lost_with_an_emptied_ledger_is_still_spent_when_it_expires(bench: Bench) -> None:
    """Holds of a ledger that has forgotten them are made again by renewal; that of a lease must stay one."""
    first = bench.open()
    lease = reserved(first, wish("lease", 60, counter(), keep=True))
    first.release(lease)
    first.renew(lease)
    bench.clock.at += 601
    assert first.states([counter()])[0][:2] == (60, 0)


@pytest.mark.parametrize("seed", range(8))
def test_who_brings_a_counter_to_its_mark_is_told(bench: Bench, seed: int) -> None:
    """Far from marks a ledger may say nothing; but of all calls that end, in any order and by two processes, one sees
    that the mark is reached, if it is."""
    chance = random.Random(seed)
    first = bench.open()
    ledgers = (first, first if bench.name == "memory" else bench.open())
    watched = (counter("b|day", 10_000, mark=150), counter("b|month", None, mark=400))
    held: list[tuple[Ledger, Reservation]] = []
    told = {150: False, 400: False}

    def hear(states: tuple[tuple[int, int, int], ...] | None) -> None:
        for (spent, taken, _), mark in zip(states or (), told, strict=False):
            told[mark] |= spent + taken >= mark

    for number in range(60):
        if number < 30:
            ledger = chance.choice(ledgers)
            held.append((ledger, reserved(ledger, wish(f"c{number}", chance.choice((0, 10, 30)), *watched))))
            hear(held[-1][1].states)
        if held and (number >= 30 or chance.random() < 0.5):
            ledger, reservation = held.pop(chance.randrange(len(held)))
            hear(ledger.settle(reservation, chance.choice((0, 5, 10, 10, 25))))
        used = sum(first.states(watched)[0][:2])
        if not held:
            assert told == {mark: told[mark] or used >= mark for mark in told}
    assert not held


@pytest.mark.parametrize(("held", "cost"), [(10, 150), (145, 145), (145, 140)])
def test_the_call_that_reaches_a_mark_is_told_when_it_ends(ledger: Ledger, held: int, cost: int) -> None:
    """It cost more than it held, or held so much that it came there."""
    watched = (counter("b|day", 10_000, mark=150), counter("b|month", None, mark=400))
    ledger.settle(reserved(ledger, wish("before", 10, *watched)), 10)
    assert ledger.settle(reserved(ledger, wish("last", held, *watched)), cost) == ((10 + cost, 0, 2),) * 2
