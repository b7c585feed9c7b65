"""Any interleaving of calls, leases, forks, expiry, lost answers and a server that goes and returns keeps the sums.

The machine drives two processes, each with its own steady (or leased and steady) ledger, over one back end that may
stop to answer, or do what it is asked and lose the answer. Budgets are strict: a call that no ledger admits is not
made, unless the program was told to go on without (``unverified``).
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from ledgers import BENCHES, Bench

from llmcost.control.ledger import Bucket, Counter, Entry, Ledger, LedgerFailure, Option, Request, Reservation
from llmcost.control.ledger.leases import LeasedLedger
from llmcost.control.ledger.steady import RETRY_AFTER_S, SteadyLedger

MOST = 20_000
LIMITS = {"b": MOST, "wide": None}
COUNTERS = tuple(Counter(name, 0, 0, limit=limit) for name, limit in LIMITS.items())
AMOUNTS = (0, 1, 7, 40, 300)
REMEMBERED_S = 6 * 3600.0 - 601
"""An answer that is lost for longer than the ledger remembers may book twice; the machine stops before."""

_WRITES = frozenset({"reserve", "settle", "release", "renew"})


@dataclass
class Line:
    """What lies between a process and its back end: ``up``, ``down``, or ``deaf`` (it is done, the answer is lost)."""

    state: str = "up"


class Wired:
    """A back end at the other end of a line."""

    def __init__(self, inner: Ledger, line: Line) -> None:
        self._inner = inner
        self._line = line
        self.network = True
        self.waiting = 0

    def now(self) -> float:
        return self._inner.now()

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._inner, name)
        if name not in _WRITES:
            return function

        def asked(*arguments: Any) -> Any:
            if self._line.state == "down":
                raise LedgerFailure("unreachable")
            answer = function(*arguments)
            if self._line.state == "deaf":
                raise LedgerFailure("unreachable", "the answer was lost")
            return answer

        return asked


@dataclass
class Process:
    """A process of the program: its ledgers, and the calls that it has in flight."""

    ledger: Ledger
    steady: SteadyLedger
    line: Line
    flying: dict[str, tuple[Reservation, float]] = field(default_factory=dict)


def forked(process: Process) -> Ledger:
    """The ledger as a child of a fork has it: a call that was in flight is known, and ends there as well."""
    steady = copy.copy(process.steady)
    steady._journal = copy.copy(steady._journal)
    steady.after_in_child()
    if not isinstance(process.ledger, LeasedLedger):
        return steady
    leased = copy.copy(process.ledger)
    leased._inner = steady
    leased.after_in_child()
    return leased


class SteadyMachine(RuleBasedStateMachine):
    """Drives the processes, and a model of them in plain sums."""

    make: Callable[[], Bench]
    leased = False

    def __init__(self) -> None:
        super().__init__()
        self.bench = type(self).make()
        self.back = self.bench.open()
        self.pace = 0.0
        self.ids = itertools.count()
        self.processes = [self.process(), self.process()]
        self.ended: list[tuple[Process, Reservation, str]] = []
        self.spent = self.calls = 0
        self.may_be_over = False

    def process(self) -> Process:
        line = Line()
        inner = self.back if self.bench.name == "memory" else self.bench.open()
        steady = SteadyLedger(Wired(inner, line), pace=lambda: self.pace)
        ledger = LeasedLedger(steady, lambda _: True) if type(self).leased else steady
        return Process(ledger, steady, line)

    def states(self) -> tuple[tuple[int, int, int], ...]:
        return self.back.states(COUNTERS)

    # --- what a program does --------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1), amount=st.sampled_from(AMOUNTS), goes_on=st.booleans())
    def reserve(self, which: int, amount: int, goes_on: bool) -> None:
        process, call_id = self.processes[which], f"c{next(self.ids)}"
        option = Option(COUNTERS, (amount,) * len(COUNTERS))
        answer: object
        try:
            answer = process.ledger.reserve(Request(call_id, (option,)))
        except LedgerFailure:
            answer = Reservation(call_id, 0, option, (), verified=False) if goes_on else None
            self.may_be_over |= goes_on
        if isinstance(answer, Reservation):
            process.flying[call_id] = (answer, self.bench.clock.at + 600)

    @precondition(lambda self: any(process.flying for process in self.processes))
    @rule(data=st.data(), share=st.floats(0, 1), in_child=st.booleans())
    def settle(self, data: st.DataObject, share: float, in_child: bool) -> None:
        process, reservation = self.taken(data)
        actual = int(reservation.option.amounts[0] * share)
        entries = [Entry("all", self.bench.clock.at, actual)]
        for ledger in [forked(process), process.ledger] if in_child else [process.ledger]:
            with contextlib.suppress(LedgerFailure):
                ledger.settle(reservation, actual, entries)
        self.ended.append((process, reservation, "settle"))
        self.spent += actual
        self.calls += 1

    @precondition(lambda self: any(process.flying for process in self.processes))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        process, reservation = self.taken(data)
        with contextlib.suppress(LedgerFailure):
            process.ledger.release(reservation)
        self.ended.append((process, reservation, "release"))

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), what=st.sampled_from(["same", "renew"]))
    def once_more(self, data: st.DataObject, what: str) -> None:
        """What has ended ends again: two who each make sure, or a chunk that comes late."""
        process, reservation, how = data.draw(st.sampled_from(self.ended))
        with contextlib.suppress(LedgerFailure):
            if how == "settle" and what == "same":
                process.ledger.settle(reservation, 999)
            elif how == "settle":
                process.ledger.renew(reservation)
            else:
                process.ledger.release(reservation)

    @precondition(lambda self: any(process.flying for process in self.processes))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        process, reservation = self.taken(data)
        with contextlib.suppress(LedgerFailure):
            process.ledger.renew(reservation)
        process.flying[reservation.call_id] = (reservation, self.bench.clock.at + 600)

    def taken(self, data: st.DataObject) -> tuple[Process, Reservation]:
        process = data.draw(st.sampled_from([process for process in self.processes if process.flying]))
        reservation, until = process.flying.pop(data.draw(st.sampled_from(sorted(process.flying))))
        # A call that shows no sign of life for longer than its hold gives its room to others.
        self.may_be_over |= until <= self.bench.clock.at
        return process, reservation

    # --- what happens to it ---------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1), state=st.sampled_from(["up", "up", "down", "deaf"]))
    def line(self, which: int, state: str) -> None:
        self.processes[which].line.state = state

    @rule(seconds=st.sampled_from([0.5, 1.5, 100.0, 200.0, 601.0]))
    def wait(self, seconds: float) -> None:
        if self.bench.clock.at + seconds < 1.8e9 + REMEMBERED_S:
            self.bench.clock.at += seconds
            self.pace += seconds

    @rule(which=st.integers(0, 1))
    def quiet_minute(self, which: int) -> None:
        with contextlib.suppress(LedgerFailure):
            self.processes[which].ledger.tidy()

    @rule(which=st.integers(0, 1))
    def connection_is_closed(self, which: int) -> None:
        """The program rests: leases go back, what waits is booked."""
        with contextlib.suppress(LedgerFailure):
            self.processes[which].ledger.close()

    @invariant()
    def never_over(self) -> None:
        spent, held, _ = self.states()[0]
        assert held >= 0
        assert self.may_be_over or spent + held <= MOST

    def teardown(self) -> None:
        """When all is quiet, what was spent is there, and nothing else."""
        for process in self.processes:
            process.line.state = "up"
            self.pace += RETRY_AFTER_S + 1
            for reservation, _ in process.flying.values():
                process.ledger.settle(reservation, 1, [Entry("all", self.bench.clock.at, 1)])
                self.spent += 1
                self.calls += 1
            process.ledger.close()
            assert process.steady.waiting == 0
        assert self.states() == ((self.spent, 0, self.calls),) * len(COUNTERS)
        (booked,) = self.back.spend("all", 1.8e9, 1.8e9 + 86_400, 86_400) or [Bucket(0, 0, 0)]
        assert (booked.nano, booked.calls) == (self.spent, self.calls)


@pytest.mark.slow
@pytest.mark.parametrize("leased", [False, True], ids=["steady", "leased"])
@pytest.mark.parametrize("name", ["sqlite", "redis"])
def test_any_interleaving_keeps_the_sums(name: str, leased: bool, request: pytest.FixtureRequest) -> None:
    with contextlib.ExitStack() as folders:

        def make() -> Bench:
            folder = Path(folders.enter_context(tempfile.TemporaryDirectory()))
            return BENCHES[name](folder, lambda: request.getfixturevalue("redis_server"))

        machine = type("Machine", (SteadyMachine,), {"make": staticmethod(make), "leased": leased})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=60,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
