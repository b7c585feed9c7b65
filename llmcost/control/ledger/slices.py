"""One lease: a slice of a budget that a process holds and spends from memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from llmcost.control.ledger.contract import Counter, Entry, Option, Reservation, State
from llmcost.control.ledger.series import bucket_of

SHARE: Final = 16
"""A slice is at most this part of what is left."""


class Lease:
    """What is left of a slice, what was spent from it, and how many calls are out."""

    __slots__ = ("began", "calls", "closing", "counters", "left", "out", "renewed", "reservation", "series", "spent")

    def __init__(self, counters: tuple[Counter, ...], reservation: Reservation, began: float) -> None:
        self.counters = counters
        self.reservation = reservation
        self.left = list(reservation.option.amounts)
        self.began = self.renewed = began
        self.spent = 0
        self.calls = 0
        self.out = 0
        self.series: dict[tuple[str, int], list[int]] = {}
        self.closing = False

    def take(self, amounts: Sequence[int]) -> bool:
        """Take a call's amounts out, or say that they do not fit."""
        for amount, left in zip(amounts, self.left, strict=True):
            if amount > left:
                return False
        for place, amount in enumerate(amounts):
            self.left[place] -= amount
        self.out += 1
        self.calls += 1
        return True

    def back(self, amounts: Sequence[int]) -> None:
        """Put the amounts of a call back that was not made."""
        for place, amount in enumerate(amounts):
            self.left[place] += amount
        self.out -= 1
        self.calls -= 1

    def spend(self, amounts: Sequence[int], actual: int, entries: Sequence[Entry]) -> None:
        """Put the amounts of a call back, less what it cost."""
        for place, amount in enumerate(amounts):
            self.left[place] += amount - actual
        self.spent += actual
        self.out -= 1
        for entry in entries:
            row = self.series.setdefault((entry.series, bucket_of(entry.at)), [0, 0])
            row[0] += entry.nano
            row[1] += entry.calls

    def entries(self) -> list[Entry]:
        """What the calls add to series."""
        return [Entry(series, slot, nano, calls) for (series, slot), (nano, calls) in self.series.items()]

    def states(self) -> tuple[State, ...]:
        """The counters as far as this process knows: as they were when the slice was taken, and what was done since."""
        option, before = self.reservation.option, self.reservation.states
        return tuple(
            (spent + self.spent, held + whole - left - self.spent, calls + self.calls)
            for (spent, held, calls), whole, left in zip(before, option.amounts, self.left, strict=True)
        )


def slice_of(option: Option, size: int) -> Option:
    """A slice for ``size`` such calls. The limit is lowered so that it fits only while it is a small part of what is
    left: used + SHARE * slice <= limit. Without marks: who spends from a slice wants to know where it began."""
    amounts = tuple(amount * size for amount in option.amounts)
    counters = tuple(
        replace(counter, limit=None if counter.limit is None else counter.limit - (SHARE - 1) * amount, mark=None)
        for counter, amount in zip(option.counters, amounts, strict=True)
    )
    return Option(counters, amounts)
