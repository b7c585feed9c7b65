"""What a ledger is: the records that go in and out, and the protocol that every back end keeps.

A *counter* is one window of one budget for one value (user u1, 25 November). It knows three numbers: nano-dollars
spent, nano-dollars held by calls in flight, and the number of calls. A *series* is a row of buckets of fixed width, the
source of forecasts and anomalies. Times are Unix seconds by the ledger's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

BUCKET_S: Final = 900
"""Width of a bucket of a series: the day of every time zone is a whole number of these."""

DAY_S: Final = 86_400

HOLD_S: Final = 600.0
"""How long an amount stays held without a sign of life from its call."""

REMEMBER_S: Final = 6 * 3600.0
"""How long a settled call id is kept, so that a repeat of a lost answer books nothing."""

ROLL_UP_AFTER_S: Final = 40 * DAY_S
"""Age at which a series' buckets become whole UTC days."""

DROP_AFTER_S: Final = 800 * DAY_S
"""Age at which a series' days are dropped."""

Reason = Literal["unreachable", "busy", "emptied", "forked", "full", "read-only", "damaged"]
"""Why a ledger could not answer. ``emptied``: it answers, but has forgotten what it knew."""

State = tuple[int, int, int]
"""A counter's spent and held nano-dollars, and its calls."""

NOTHING: Final[State] = (0, 0, 0)


class LedgerFailure(Exception):
    """A ledger could not answer in time. Each budget's ``on_failure`` says what follows; the caller never sees it."""

    def __init__(self, reason: Reason, detail: str = "", *, asked: bool = True) -> None:
        super().__init__(f"ledger {reason}" + (f": {detail}" if detail else ""))
        self.reason: Reason = reason
        self.asked = asked
        """Whether the ledger was asked at all, so that it may have done what was wanted and the answer be lost."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One window of one budget for one value.

    Attributes:
        key: name of budget, value and kind of window; without the time.
        slot: where a call is booked: start of the window, or of the slice of a rolling one; 0 where there is no end.
        first: the first slot that counts; equal to ``slot`` but for rolling windows.
        until: when the slot may be forgotten; 0 for never.
        limit: nano-dollars that spent + held may not exceed; None for no limit.
        below: nano-dollars that spent + held must be under before the call (where a smaller model takes over).
        max_calls: number of calls that may be admitted.
        mark: while spent + held, this call included, stay below it, nobody wants to see the state.
    """

    key: str
    slot: int
    first: int
    until: int = 0
    limit: int | None = None
    below: int | None = None
    max_calls: int | None = None
    mark: int | None = None


class Option(NamedTuple):
    """A way to make the call: what it would hold in which counters. ``amounts`` go with ``counters`` one by one."""

    counters: tuple[Counter, ...]
    amounts: tuple[int, ...]

    def without(self, prefix: str) -> Option:
        """The same without the counters whose key starts with ``prefix``."""
        pairs = [pair for pair in zip(*self, strict=True) if not pair[0].key.startswith(prefix)]
        return Option(tuple(counter for counter, _ in pairs), tuple(amount for _, amount in pairs))

    def refused_by(self, states: Sequence[State]) -> int | None:
        """The place of the first counter that does not admit this option; None where all do.

        A call that costs nothing passes a used-up limit.
        """
        for place, (spent, held, calls) in enumerate(states):
            counter, amount = self.counters[place], self.amounts[place]
            if counter.max_calls is not None and calls >= counter.max_calls:
                return place
            if amount:
                used = spent + held
                if counter.limit is not None and used + amount > counter.limit:
                    return place
                if counter.below is not None and used >= counter.below:
                    return place
        return None

    def is_far(self, states: Sequence[State]) -> bool:
        """Whether all counters stay below their marks with this option."""
        for place, (spent, held, _) in enumerate(states):
            mark = self.counters[place].mark
            if mark is None or spent + held + self.amounts[place] >= mark:
                return False
        return True


class Request(NamedTuple):
    """A wish to spend. The first option that fits is taken, all its counters at once.

    ``keep`` says that an amount whose hold expires is booked as spent (a lease of a process that died) instead of
    given back.
    """

    call_id: str
    options: tuple[Option, ...]
    keep: bool = False


class Reservation(NamedTuple):
    """An admitted wish. ``states`` are its counters' before the call, or empty where the first option fits and stays
    below all marks; ``verified`` is False where no ledger agreed; ``keep`` is the wish's."""

    call_id: str
    choice: int
    option: Option
    states: tuple[State, ...]
    verified: bool = True
    keep: bool = False


class Refusal(NamedTuple):
    """A wish that no option fits: for each option the place of the first counter that refused, and all its states."""

    call_id: str
    refused_by: tuple[int, ...]
    states: tuple[tuple[State, ...], ...]


class Entry(NamedTuple):
    """What a call adds to a series, in the bucket of its start."""

    series: str
    at: float
    nano: int
    calls: int = 1


class Bucket(NamedTuple):
    """What was spent in a series from ``start`` on, for the step that was asked for. Empty buckets are left out."""

    start: int
    nano: int
    calls: int


class Expired(NamedTuple):
    """Holds that ran out of time since the ledger began: how many, and how much they held."""

    holds: int
    nano: int


class Ledger(Protocol):
    """What every back end does. Every method may raise :class:`LedgerFailure`, and nothing else.

    No state, and no refusal, counts a hold that has expired."""

    network: bool
    """Whether a call waits for a network, and so must not be made in an event loop."""

    @property
    def waiting(self) -> int:
        """Settlements that could not be booked yet."""

    def now(self) -> float:
        """The ledger's clock, which decides windows and expiry."""

    def reserve(self, request: Request) -> Reservation | Refusal:
        """Hold an amount in all counters of the first option that fits, in one atomic step; idempotent by call id."""

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """Book what a call cost and give its hold back; idempotent by call id. Books too where the hold has expired.

        Args:
            reservation: what was admitted.
            actual: nano-dollars.
            entries: what goes into series.
            calls: how many calls this stands for; more than one for a lease.

        Returns:
            the counters' states afterwards, or None where this call id was settled before. A ledger may say nothing,
            an empty tuple, where all counters stay below their marks.
        """

    def release(self, reservation: Reservation) -> None:
        """Give a hold back for a call that was never sent; it does not count as a call."""

    def renew(self, reservation: Reservation) -> None:
        """A sign of life: the hold lasts another while. A hold that has expired, or that the ledger has forgotten, is
        made again as it was."""

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """The counters' states now."""

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """What was spent in ``[start, end)``, in buckets of ``step`` seconds counted from ``start``, oldest first."""

    def claim(self, name: str, until: float) -> bool:
        """True for exactly one caller over all processes until the time given: who may report an incident."""

    def reset(self, prefix: str) -> int:
        """Set spent and calls to 0 where a counter's key starts with ``prefix``. Holds stay, and their calls count on;
        those that have expired leave nothing behind. Returns how many slots."""

    def limits(self) -> Mapping[str, int]:
        """Limits (nano-dollars, or calls) that people have set while programs run, by the key of a counter. The ledger
        only remembers them: who reserves brings its limits along (:class:`~llmcost.control.plan.Planner`)."""

    def set_limit(self, key: str, amount: int | None) -> None:
        """Set such a limit for every process; None takes it back."""

    def keys(self, prefix: str) -> list[str]:
        """The keys of counters that start with ``prefix``, sorted. For people, not for calls."""

    def restore(self, name: str, sums: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """Go on with a ledger that was found ``emptied``, which until then fails every call, and add sums that were
        lost, in one step. Once by name in each life of the ledger: False where that was done before."""

    def expired(self) -> Expired:
        """Holds that ran out of time."""

    def tidy(self) -> None:
        """Expire holds, roll old buckets up, forget ended windows. Back ends also do so unasked, in small bites."""

    def close(self) -> None:
        """Let go of connections. The ledger can be used again."""
