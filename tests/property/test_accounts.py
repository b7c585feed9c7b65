"""Counters with marks, which the memory ledger sums up together, stand as counters without, which it sums up singly."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

import pytest
from ledgers import START, Clock

from llmcost.control.ledger import Counter, Option, Request, Reservation
from llmcost.control.ledger.memory import MemoryLedger

HOUR: Final = 3600
LIMITS: Final = {"hourly": 300, "daily": 800, "rolling 1h": 500}
VALUES: Final = ("global=", "user=a", "user=b")


def counters(value: str, at: float, mark: int) -> tuple[Counter, ...]:
    """The windows of a value at an instant; ``mark`` in hundredths of their limits."""
    found = []
    for kind, limit in LIMITS.items():
        slot = int(at // HOUR) * HOUR if kind != "rolling 1h" else int(at // 60) * 60
        slot = 0 if kind == "daily" else slot
        first = slot - HOUR if kind == "rolling 1h" else slot
        found.append(Counter(f"b|{value}|{kind}", slot, first, limit=limit, mark=limit * mark // 100))
    return tuple(found)


class Pair:
    """The same calls on two ledgers; one of them is told of no marks."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.clock = Clock(START)
        self.marked, self.plain = MemoryLedger(self.clock), MemoryLedger(self.clock)
        self.held: list[tuple[Reservation, Reservation]] = []
        self.known: dict[tuple[str, ...], tuple[Counter, ...]] = {}
        self.number = 0

    def wanted(self) -> tuple[Counter, ...]:
        """The counters of a call; mostly the same tuple as before, as the planner's are."""
        values = tuple(self.chance.sample(VALUES, self.chance.randint(1, 3)))
        if values not in self.known or self.chance.random() < 0.1:
            mark = self.chance.choice((0, 50, 80, 120))
            late = self.clock.at - self.chance.choice((0, 0, 0, HOUR))
            self.known[values] = tuple(each for value in values for each in counters(value, late, mark))
        return self.known[values]

    def reserve(self) -> None:
        wanted = self.wanted()
        amount = self.chance.choice((0, 5, 40))
        amounts = (amount,) * len(wanted)
        if self.chance.random() < 0.2:
            amounts = (amount + 1, *amounts[1:])
        self.number += 1
        answers = [
            ledger.reserve(Request(f"c{self.number}", (Option(each, amounts),)))
            for ledger, each in ((self.marked, wanted), (self.plain, without_marks(wanted)))
        ]
        first, second = answers
        assert type(first) is type(second)
        if isinstance(first, Reservation) and isinstance(second, Reservation):
            assert first.states in ((), second.states)
            self.held.append((first, second))

    def end(self) -> None:
        if not self.held:
            return
        first, second = self.held.pop(self.chance.randrange(len(self.held)))
        if self.chance.random() < 0.2:
            self.marked.release(first)
            self.plain.release(second)
            return
        actual = self.chance.choice((0, 3, 40, 90))
        calls = self.chance.choice((1, 1, 1, 3))
        states = self.plain.settle(second, actual, calls=calls)
        assert self.marked.settle(first, actual, calls=calls) in ((), states)

    def renew(self) -> None:
        for first, second in self.held[:1]:
            self.marked.renew(first)
            self.plain.renew(second)

    def wait(self) -> None:
        self.clock.at += self.chance.choice((1, 60, 601, HOUR))

    def reset(self) -> None:
        prefix = f"b|{self.chance.choice(VALUES)}|{self.chance.choice(('', *LIMITS))}"
        assert self.marked.reset(prefix) == self.plain.reset(prefix)

    def look(self) -> None:
        wanted = self.wanted()
        assert self.marked.states(wanted) == self.plain.states(without_marks(wanted))
        assert self.marked.expired() == self.plain.expired()


def without_marks(counters: tuple[Counter, ...]) -> tuple[Counter, ...]:
    return tuple(replace(counter, mark=None) for counter in counters)


@pytest.mark.parametrize("seed", range(100))
def test_sums_of_accounts_are_the_sums_of_their_windows(seed: int) -> None:
    chance = random.Random(seed)
    pair = Pair(chance)
    steps = [*[pair.reserve] * 6, *[pair.end] * 6, pair.renew, pair.look, pair.wait, pair.reset]
    for _ in range(400):
        chance.choice(steps[: chance.choice((12, 12, 12, len(steps)))])()
    pair.look()


def test_far_from_its_marks_a_call_is_not_told_how_counters_stand() -> None:
    ledger = MemoryLedger(Clock(START))
    option = Option(counters("user=a", START, 50), (10,) * 3)
    first = ledger.reserve(Request("a", (option,)))
    assert isinstance(first, Reservation)
    assert first.states == ((0, 0, 0),) * 3, "nothing was known yet"
    ledger.settle(first, 10)
    second = ledger.reserve(Request("b", (option,)))
    assert isinstance(second, Reservation)
    assert second.states == ()
    assert ledger.settle(second, 10) == ()
    third = ledger.reserve(Request("c", (option,)))
    assert isinstance(third, Reservation)
    assert ledger.settle(third, 130) == ((150, 0, 3),) * 3, "150 of 300 is the mark of the hour"
