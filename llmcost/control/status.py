"""How the budgets stand, and whether a call could be afforded: reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from llmcost.control.budget import Budget, Mode
from llmcost.control.ledger import Counter, Ledger, LedgerFailure, State
from llmcost.control.ledger.contract import NOTHING
from llmcost.control.money import Usd, nano_of_cost, usd_of
from llmcost.control.plan import Line, Planner, owner_of
from llmcost.control.policy import Action, Decision, judged, most_severe, only_warned, stated, strongest
from llmcost.control.steps import attempt

_PORTION: Final = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """One window of one budget for one value, now. Money is in US dollars.

    Attributes:
        budget, scope, value, window: which.
        mode: the budget's mode.
        limit: None where only calls are limited.
        spent, held: booked, and held by calls in flight.
        remaining: what is left of the limit; below 0 where more was spent.
        used_ratio: share of the limit (or of the calls) that is used.
        calls, max_calls: how many calls, and how many may be.
        resets_at: Unix time; None for a total.
        timezone: the zone whose clock turns the window.
        changed: whether the limit was set while programs run, by ``llmcost budget set``.
        verified: False where the ledger could not be read; the numbers mean nothing then.
    """

    budget: str
    scope: str
    value: str
    window: str
    mode: Mode
    limit: float | None
    spent: float
    held: float
    remaining: float | None
    used_ratio: float
    calls: int
    max_calls: int | None
    resets_at: float | None
    timezone: str
    changed: bool = False
    verified: bool = True


class Affordable(NamedTuple):
    """Whether a call would pass, the action it would meet, and why."""

    ok: bool
    action: Action
    message: str


class StatusReader:
    """Reads budgets for people and programs.

    Args:
        budgets: checked budgets.
        ledger: where the money is counted.
        planner: finds counters.
    """

    def __init__(self, budgets: Sequence[Budget], ledger: Ledger, planner: Planner) -> None:
        self._budgets = tuple(budgets)
        self._ledger = ledger
        self._planner = planner

    def can_afford(self, values: Mapping[str, str], estimated_cost: Usd) -> Affordable:
        """Whether a call for these values may cost so much, over all windows of all budgets that apply.

        Args:
            values: scope to value: ``user``, ``label``, ``model``, ...
            estimated_cost: US dollars.
        """
        decisions = self.judged(values, nano_of_cost(estimated_cost))
        action = most_severe(decision.action for decision in decisions)
        message = decisions[0].message if decisions and action != "allow" else ""
        return Affordable(action != "block", action, message)

    def judged(self, values: Mapping[str, str], amount: int) -> tuple[Decision, ...]:
        """What each budget that applies would say to a call of ``amount`` nano-dollars, the most severe first."""
        self._look()
        now = self._ledger.now()
        plan = self._planner.plan(values, now)
        states = attempt(self._ledger.states, plan.counters)
        if isinstance(states, LedgerFailure):
            found = [
                stated(line.budget, line.value, line.budget.failure_rule, "ledger", str(states)) for line in plan.lines
            ]
        else:
            model = values.get("model", "")
            found = list(_judgements(plan.lines, amount, states, now, model))
        return strongest(found)

    def standings(
        self, values: Mapping[str, str] | None = None, more: Iterable[Mapping[str, str]] = ()
    ) -> list[Standing]:
        """How the budgets stand: global ones, those of the values given, and those with overrides.

        Args:
            values: scope to value; None shows global budgets and every override.
            more: further values, each with those of its own.
        """
        self._look()
        now = self._ledger.now()
        groups = (*self._groups(values or {}), *more)
        lines = [line for group in groups for line in self._planner.plan(group, now).lines]
        unique = list({line.counter.key: line for line in lines}.values())
        states = attempt(self._states, unique)
        if isinstance(states, LedgerFailure):
            return [_standing(line, NOTHING, now, verified=False) for line in unique]
        return [_standing(line, state, now) for line, state in zip(unique, states, strict=True)]

    def everybody(self) -> list[Mapping[str, str]]:
        """The values that the ledger has counted anything for, by scope; see :meth:`standings`.

        Raises:
            LedgerFailure: the ledger cannot be read.
        """
        found: dict[tuple[str, str], None] = {}
        for budget in self._budgets:
            if budget.scope != "global":
                start = owner_of(budget, "")
                for key in self._ledger.keys(start):
                    found[budget.scope, key[len(start) :].rpartition("|")[0]] = None
        return [{scope: value} for scope, value in found]

    def _states(self, lines: Sequence[Line]) -> list[State]:
        """In portions that a server answers in its time."""
        counters = [line.counter for line in lines]
        return [state for part in _portions(counters) for state in self._ledger.states(part)]

    def _look(self) -> None:
        limits = attempt(self._ledger.limits)
        if not isinstance(limits, LedgerFailure):
            self._planner.use(limits)

    def _groups(self, values: Mapping[str, str]) -> Iterable[Mapping[str, str]]:
        yield values
        for budget in self._budgets:
            if budget.scope not in values:
                for value in budget.overrides:
                    yield {budget.scope: value}


def _portions(counters: Sequence[Counter]) -> Iterable[tuple[Counter, ...]]:
    return (tuple(counters[place : place + _PORTION]) for place in range(0, len(counters), _PORTION))


def _judgements(
    lines: Iterable[Line], amount: int, states: Iterable[State], now: float, model: str
) -> Iterable[Decision]:
    for line, state in zip(lines, states, strict=True):
        can_degrade = model in line.budget.fallbacks
        decision = judged(line, amount, state, now=now, can_degrade=can_degrade)
        if decision is not None:
            yield decision if can_degrade else only_warned(decision)


def _standing(line: Line, state: State, now: float, *, verified: bool = True) -> Standing:
    spent, held, calls = state
    limit = line.limit
    if limit is None:
        ratio = calls / line.calls if line.calls else 1.0
    else:
        ratio = (spent + held) / limit if limit else 1.0
    return Standing(
        budget=line.budget.name,
        scope=line.budget.scope,
        value=line.value,
        window=line.kind,
        mode=line.budget.mode,
        limit=None if limit is None else usd_of(limit),
        spent=usd_of(spent),
        held=usd_of(held),
        remaining=None if limit is None else usd_of(limit - spent - held),
        used_ratio=ratio,
        calls=calls,
        max_calls=line.calls,
        resets_at=line.resets_at(now),
        timezone=line.budget.timezone,
        changed=line.changed,
        verified=verified,
    )
