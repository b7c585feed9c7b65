"""Sums of calls on their way into the feed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from factories import START_NS, a_call

from llmcost.calls import NANO, SLOT_S, Call, nano_dollars
from llmcost.processors.sums import CallSums, Row


def total(rows: list[Row]) -> list[int]:
    return [sum(parts) for parts in zip(*(sums for _, _, sums in rows), strict=True)]


def test_every_call_is_in_the_sums_however_many_wait() -> None:
    for count in (1, 31, 32, 33, 100):
        sums = CallSums()
        for number in range(count):
            sums.add(a_call(number))
        rows = sums.drain()
        assert total(rows)[:3] == [count, count, count * nano_dollars(0.001)]
        assert sums.drain() == []


def test_a_call_counts_in_the_slot_in_which_it_ended() -> None:
    slot_ns = SLOT_S * NANO
    begin = START_NS // slot_ns * slot_ns
    sums = CallSums()
    sums.add(a_call(1, started_ns=begin - NANO, duration=1.0))
    sums.add(a_call(2, started_ns=begin - NANO, duration=0.9))
    sums.add(a_call(3, started_ns=begin + slot_ns - 1, duration=0.0))
    found = {slot: row[0] for slot, _, row in sums.drain()}
    assert found == {begin // NANO - SLOT_S: 1, begin // NANO: 2}


def test_threads_lose_no_call() -> None:
    sums, taken = CallSums(), list[Row]()

    def work(first: int) -> None:
        for number in range(first, first + 500):
            sums.add(a_call(number))
            if number % 97 == 0:
                taken.extend(sums.drain())

    threads = [threading.Thread(target=work, args=(1000 * each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(taken + sums.drain())[0] == 2000


class Interrupted(deque[Call]):
    """Calls in whose midst a signal comes, just before the next is taken."""

    signal: Callable[[], object] | None = None

    def popleft(self) -> Call:
        signal, self.signal = self.signal, None
        if signal is not None:
            signal()
        return super().popleft()


def test_a_signal_handler_may_make_a_call_and_take_the_sums() -> None:
    sums, waiting = CallSums(), Interrupted()
    taken: list[Row] = []
    sums._made = waiting
    for number in range(5):
        sums.add(a_call(number))

    def handler() -> None:
        sums.add(a_call(9))
        taken.extend(sums.drain())

    waiting.signal = handler
    assert sums.drain() == []
    assert total(taken)[0] == 6
