"""What a policy would have done to calls of the past: the same engine, over a ledger in memory and a clock of then."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from llmcost.control.admission import Admission
from llmcost.control.budget import Budget
from llmcost.control.controller import Controller
from llmcost.control.ledger.memory import MemoryLedger
from llmcost.control.policy import ACTIONS, Action, Decision, Verdict

_LONGEST_CALL_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class PastCall:
    """A stored call.

    Attributes:
        admission: what the engine is told before the send.
        actual: what it cost, in nano-dollars; None where that is not known.
        duration: seconds from start to end.
        sent: False where the request never left the machine; such a call gives its hold back.
        reprice: what it would have cost with another model, in nano-dollars, None where that is not known; without it
            a degraded call keeps its cost.
    """

    admission: Admission
    actual: int | None
    duration: float = 0.0
    sent: bool = True
    reprice: Callable[[str], int | None] | None = None


class Replayed(NamedTuple):
    """One call and what was done to it; ``spent`` is what it then cost, 0 where it was refused."""

    call: PastCall
    verdict: Verdict
    spent: int | None


@dataclass(slots=True)
class Affected:
    """What a budget did to one value of its scope. ``saved`` is money of refused calls and of smaller models."""

    calls: dict[Action, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    saved: int = 0


@dataclass(slots=True)
class Simulation:
    """The sum of a replay: calls by action, money then and with the policy (nano-dollars), and who was affected."""

    calls: dict[Action, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    spent_then: int = 0
    spent_now: int = 0
    unpriced: int = 0
    affected: dict[tuple[str, str], Affected] = field(default_factory=dict)

    @property
    def saved(self) -> int:
        """What the policy would have kept from being spent."""
        return self.spent_then - self.spent_now


class _Clock:
    """Stands where the replay stands."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


def enforced(budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    """The same budgets with every ``observe`` made ``block``: what a shadow would do once it counts."""
    return tuple(replace(budget, mode="block") if budget.mode == "observe" else budget for budget in budgets)


def replay(budgets: Sequence[Budget], calls: Iterable[PastCall]) -> Iterator[Replayed]:
    """Put past calls before a policy; each settles when it ended then. Callbacks are not asked.

    Args:
        budgets: checked budgets.
        calls: stored calls, in the order of their starts (see :func:`in_order`).
    """
    clock = _Clock()
    # A stream shows a sign of life while it runs; here nobody does, so holds last for any call's time.
    controller = Controller(budgets, MemoryLedger(clock, hold_s=_LONGEST_CALL_S), series=())
    running: list[tuple[float, int, PastCall, Verdict, int | None]] = []
    for number, call in enumerate(calls):
        started = call.admission.started
        while running and running[0][0] <= started:
            clock.at, _, ended, verdict, cost = heapq.heappop(running)
            _end(controller, ended, verdict, cost)
        clock.at = started
        verdict = controller.admit(call.admission)
        cost = _cost(call, verdict)
        if verdict.action != "block":
            heapq.heappush(running, (started + call.duration, number, call, verdict, cost))
        yield Replayed(call, verdict, cost)


def in_order(calls: Iterable[PastCall]) -> list[PastCall]:
    """The calls in the order of their starts."""
    return sorted(calls, key=lambda call: (call.admission.started, call.admission.call_id))


def simulate(budgets: Sequence[Budget], calls: Iterable[PastCall]) -> Simulation:
    """Replay and sum up; see :func:`replay`."""
    result = Simulation()
    for call, verdict, spent in replay(budgets, calls):
        result.calls[verdict.action] += 1
        result.spent_then += call.actual or 0
        result.spent_now += spent or 0
        result.unpriced += call.actual is None
        saved = (call.actual or 0) - (spent or 0)
        for decision in verdict.decisions:
            _affect(result, decision, saved if decision is verdict.decisive else 0)
    return result


def _affect(result: Simulation, decision: Decision, saved: int) -> None:
    row = result.affected.setdefault((decision.budget, decision.value), Affected())
    row.calls[decision.action] += 1
    row.saved += saved


def _end(controller: Controller, call: PastCall, verdict: Verdict, cost: int | None) -> None:
    if call.sent:
        controller.settle(verdict, cost)
    else:
        controller.release(verdict)


def _cost(call: PastCall, verdict: Verdict) -> int | None:
    if verdict.action == "block":
        return 0
    if verdict.model is None or call.reprice is None:
        return call.actual
    return call.reprice(verdict.model)
