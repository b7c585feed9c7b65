"""Counters that calls move together, as the memory ledger keeps them: one sum for all of them, not one for each.

The windows of one budget for one value (this user's hour, day, week and month) always gain the same: a call holds and
spends one amount in all of them. So what calls add is kept once, in an :class:`Account`, and compared with the one
number that is nearest. It is written into the windows only when somebody wants to see them, or moves one of them in
another company: when a window has turned, say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from llmcost.control.ledger.contract import NOTHING, Counter, State

_SHUT: Final = -(1 << 60)
"""The room of an account that is not open: nothing stays below it."""


class Row:
    """A slot of a counter: what it says, the sum of its account apart, and until when it is kept."""

    __slots__ = ("state", "until")

    def __init__(self, until: int) -> None:
        self.state = NOTHING
        self.until = until


class Slots(dict[int, Row]):
    """The slots of a counter, by their start; ``account`` has what is not written into them yet."""

    __slots__ = ("account",)

    def __init__(self) -> None:
        super().__init__()
        self.account: Account | None = None

    def settled(self) -> Slots:
        """The slots, with all that belongs into them."""
        if self.account is not None:
            self.account.shut()
        return self

    def state(self, counter: Counter) -> State:
        """Of a counter of these slots that are settled; a rolling one sums up the slots it still counts."""
        if counter.first == counter.slot:
            return self[counter.slot].state
        states = [row.state for slot, row in self.items() if counter.first <= slot <= counter.slot]
        return sum([state[0] for state in states]), sum([state[1] for state in states]), sum([s[2] for s in states])


class Counted:
    """The counters of a call, and where they stand."""

    __slots__ = ("_places", "_rows", "counters")

    def __init__(self, counters: tuple[Counter, ...], slots: Sequence[Slots]) -> None:
        self.counters = counters
        self._places = tuple(zip(slots, counters, strict=True))
        self._rows = [each[counter.slot] for each, counter in self._places]

    def hold(self, amounts: tuple[int, ...]) -> bool:  # noqa: ARG002 - counters without an account are looked at
        """Hold amounts where all counters stay below their marks; False where that is to be looked at."""
        return False

    def settle(self, amounts: tuple[int, ...], actual: int) -> bool:  # noqa: ARG002
        """Book a cost in place of what was held, where all counters stay below their marks; else False."""
        return False

    def open(self) -> None:
        """Let accounts stand for the counters from here on."""

    def move(self, amounts: tuple[int, ...], held: int, calls: int, spent: int = 0) -> None:
        """Hold amounts (or, with -1, give them back), count calls, and book what was spent, whatever the marks."""
        self._settle_down()
        for row, amount in zip(self._rows, amounts, strict=True):
            was_spent, was_held, had_calls = row.state
            row.state = was_spent + spent, was_held + held * amount, had_calls + calls

    def states(self) -> tuple[State, ...]:
        """The counters as they stand."""
        self._settle_down()
        return tuple([slots.state(counter) for slots, counter in self._places])

    def _settle_down(self) -> None:
        for slots, _ in self._places:
            if slots.account is not None:
                slots.account.shut()


class Account(Counted):
    """The windows of one budget for one value.

    While it is open its numbers stand for all of its windows; see :meth:`open` and :meth:`shut`.

    Attributes:
        used: nano-dollars that were spent or are held, since it was opened.
        spent: of these, spent.
        calls: calls since it was opened.
        room: ``used`` must stay below it for all windows to be below their marks and within their limits.
        even: amounts that are known to be one and the same.
    """

    __slots__ = ("calls", "even", "room", "spent", "used")

    def __init__(self, counters: tuple[Counter, ...], slots: Sequence[Slots]) -> None:
        super().__init__(counters, slots)
        self.room = _SHUT
        self.used = self.spent = self.calls = 0
        self.even: tuple[int, ...] | None = None

    def hold(self, amounts: tuple[int, ...]) -> bool:
        """See :class:`Counted`."""
        if amounts is not self.even:
            if not _are_even(amounts):
                return False
            self.even = amounts  # the same tuple comes again and again
        used = self.used + amounts[0]
        if used >= self.room:
            return False
        self.used = used
        self.calls += 1
        return True

    def settle(self, amounts: tuple[int, ...], actual: int) -> bool:
        """See :class:`Counted`."""
        if amounts is not self.even and not _are_even(amounts):
            return False
        used = self.used + actual - amounts[0]
        if used >= self.room:
            return False
        self.used = used
        self.spent += actual
        return True

    def open(self) -> None:
        """Stand for the windows, unless one of them is above its mark: then each call is looked at."""
        edges = [_edge(counter) for counter in self.counters]
        left = [
            edge - sum(slots.settled().state(counter)[:2])
            for edge, (slots, counter) in zip(edges, self._places, strict=True)
            if edge is not None
        ]
        room = min(left, default=0)
        if room > 0 and len(left) == len(edges):
            self.room = room
            for slots, _ in self._places:
                slots.account = self

    def shut(self) -> None:
        """Write what it has into its windows, which then stand for themselves."""
        spent, held, calls = self.spent, self.used - self.spent, self.calls
        self.room = _SHUT
        self.used = self.spent = self.calls = 0
        for (slots, _), row in zip(self._places, self._rows, strict=True):
            slots.account = None
            had_spent, had_held, had_calls = row.state
            row.state = had_spent + spent, had_held + held, had_calls + calls


class Company(Counted):
    """The counters of several budgets, or of several values: an account for each."""

    __slots__ = ("_accounts", "_even")

    def __init__(self, counters: tuple[Counter, ...], slots: Sequence[Slots], accounts: Sequence[Account]) -> None:
        super().__init__(counters, slots)
        self._accounts = accounts
        self._even: tuple[int, ...] | None = None

    def hold(self, amounts: tuple[int, ...]) -> bool:
        """See :class:`Counted`."""
        if amounts is not self._even:
            if not _are_even(amounts):
                return False
            self._even = amounts
        amount = amounts[0]
        for account in self._accounts:
            if account.used + amount >= account.room:
                return False
        for account in self._accounts:
            account.used += amount
            account.calls += 1
        return True

    def settle(self, amounts: tuple[int, ...], actual: int) -> bool:
        """See :class:`Counted`."""
        if amounts is not self._even and not _are_even(amounts):
            return False
        more = actual - amounts[0]
        for account in self._accounts:
            if account.used + more >= account.room:
                return False
        for account in self._accounts:
            account.used += more
            account.spent += actual
        return True

    def open(self) -> None:
        """See :class:`Counted`."""
        for account in self._accounts:
            if account.room == _SHUT:
                account.open()


def counted(counters: tuple[Counter, ...], slots: Mapping[str, Slots]) -> Counted:
    """The counters of a call with their accounts: one for each budget and value.

    Args:
        counters: of the call.
        slots: by the key of the counter; each has the slot that its counter books in.
    """
    by_owner: dict[str, list[Counter]] = {}
    for counter in counters:
        by_owner.setdefault(counter.key.rpartition("|")[0], []).append(counter)
    places = [slots[counter.key] for counter in counters]
    if not counters:
        return Counted(counters, places)
    if len(by_owner) == 1:
        return Account(counters, places)
    accounts = [Account(tuple(own), [slots[counter.key] for counter in own]) for own in by_owner.values()]
    return Company(counters, places, accounts)


def _are_even(amounts: tuple[int, ...]) -> bool:
    return amounts.count(amounts[0]) == len(amounts)


def _edge(counter: Counter) -> int | None:
    """What spent + held must stay below so that there is nothing to look at; None where there always is."""
    if counter.mark is None or counter.below is not None or counter.max_calls is not None:
        return None
    return counter.mark if counter.limit is None else min(counter.mark, counter.limit + 1)
