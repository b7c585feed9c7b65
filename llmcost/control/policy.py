"""From the state of the budgets to an answer: allow, warn, degrade or block. The most severe answer wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from llmcost.control.admission import Admission
from llmcost.control.budget import Budget, Mode, plain
from llmcost.control.ledger import Reservation, State
from llmcost.control.money import NANO
from llmcost.control.plan import Line

Action = Literal["allow", "warn", "degrade", "block"]
Cause = Literal["money", "calls", "depth", "repeats", "unbounded", "unpriced", "ledger", "callback"]

ACTIONS: Final[tuple[Action, ...]] = ("allow", "warn", "degrade", "block")
"""From mild to severe."""

_SEVERITY: Final[dict[str, int]] = {action: place for place, action in enumerate(ACTIONS)}
_MOST_SEVERE_OF_MODE: Final[dict[Mode, Action]] = {
    "observe": "allow",
    "warn": "warn",
    "degrade": "degrade",
    "block": "block",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What one budget says to a call.

    Attributes:
        budget: its name.
        action: its answer, no more severe than its mode.
        would: its answer if its mode were ``block``; what ``mode = "observe"`` is for.
        cause: what the answer is about.
        scope, value: for whom.
        window: ``daily``, ``rolling 24h`` ...; empty where no window is concerned.
        used, limit: nano-dollars spent and held before the call, and the limit; of calls where the cause is a number.
        resets_at: when the window turns, Unix seconds.
        message: one line for people.
    """

    budget: str
    action: Action
    would: Action
    cause: Cause
    scope: str = "global"
    value: str = ""
    window: str = ""
    used: int = 0
    limit: int | None = None
    resets_at: float | None = None
    message: str = ""


class Ticket(NamedTuple):
    """What an admitted call was: who asked, which model is sent, which lines it touches."""

    admission: Admission
    model: str
    lines: tuple[Line, ...]


class Verdict(NamedTuple):
    """The answer to a call.

    Attributes:
        action: the most severe action of all decisions.
        model: the model to send instead, where the action is ``degrade``.
        decisions: what each budget said that had something to say.
        reservation: what settles the call; None for a blocked call, and where no budget applies.
        warnings: decisions that are told for the first time in their window, by this process alone.
        ticket: what settling needs to know; not for users.
    """

    action: Action = "allow"
    model: str | None = None
    decisions: tuple[Decision, ...] = ()
    reservation: Reservation | None = None
    warnings: tuple[Decision, ...] = ()
    ticket: Ticket | None = None

    @property
    def decisive(self) -> Decision | None:
        """The decision that the action comes from."""
        return next((decision for decision in self.decisions if decision.action == self.action), None)

    @property
    def budget(self) -> str | None:
        """The name of the budget that the action comes from."""
        decision = self.decisive if self.action != "allow" else None
        return decision.budget if decision else None

    @property
    def message(self) -> str:
        """One line for people; empty where the call is simply allowed."""
        decision = self.decisive if self.action != "allow" else None
        return decision.message if decision else ""

    @property
    def would(self) -> Action:
        """The most severe answer if all modes were ``block``."""
        return most_severe(decision.would for decision in self.decisions)


_DOES_NOT_FIT: Final = ", this call does not fit"

ALLOWED: Final = Verdict()
"""The answer where no budget applies."""


def most_severe(actions: Iterable[Action]) -> Action:
    """The most severe of some actions; ``allow`` where there are none."""
    return max(actions, key=_SEVERITY.__getitem__, default="allow")


def capped(action: Action, mode: Mode) -> Action:
    """The action, no more severe than the mode allows."""
    limit = _MOST_SEVERE_OF_MODE[mode]
    return action if _SEVERITY[action] <= _SEVERITY[limit] else limit


def judged(line: Line, amount: int, state: State, *, now: float, can_degrade: bool) -> Decision | None:
    """What one line says to a call that would hold ``amount``; None where it says nothing.

    Args:
        line: the limit.
        amount: nano-dollars to be held.
        state: the counter before the call.
        now: Unix time, for the time of reset.
        can_degrade: whether a smaller model is at hand.
    """
    spent, held, calls = state
    used = spent + held
    if line.limit is None:
        if line.calls is None or calls < line.calls:
            return None
        cause: Cause = "repeats" if line.kind == "repeats" else "calls"
        return _decision(line, "block", cause, calls, line.calls, now)
    if used < line.warn and used + amount <= line.block:
        return None
    if amount and used + amount > line.block:
        return _decision(line, "block", "money", used, line.limit, now)
    if used >= line.degrade and can_degrade:
        return _decision(line, "degrade", "money", used, line.limit, now)
    if used >= line.warn and line.limit:
        return _decision(line, "warn", "money", used, line.limit, now)
    return None


def crossing(line: Line, action: Action, state: State, now: float) -> Decision:
    """A decision that says that a threshold was crossed."""
    return _decision(line, action, "money", state[0] + state[1], line.limit or 0, now)


def as_degraded(decision: Decision) -> Decision:
    """A refusal that a smaller model has averted."""
    if decision.would != "block" or decision.cause != "money":
        return decision
    mode: Mode = "degrade" if decision.action == "block" else "observe"
    message = decision.message.removesuffix(_DOES_NOT_FIT) + ", a smaller model is used"
    return replace(decision, action=capped("degrade", mode), would="degrade", message=message)


def only_warned(decision: Decision) -> Decision:
    """A wish for a smaller model where there is none."""
    return replace(decision, action="warn") if decision.action == "degrade" else decision


def _decision(line: Line, would: Action, cause: Cause, used: int, limit: int, now: float) -> Decision:
    budget = line.budget
    resets_at = line.resets_at(now)
    return Decision(
        budget.name, capped(would, budget.mode), would, cause, budget.scope, line.value, line.kind, used, limit,
        resets_at, _message(line, would, cause, used, limit),
    )  # fmt: skip


def _message(line: Line, would: Action, cause: Cause, used: int, limit: int) -> str:
    whose = f"budget '{line.budget.name}'" + (f" of {line.budget.scope} '{line.value}'" if line.value else "")
    if cause == "calls":
        return f"{whose}: {used} of {limit} calls made"
    if cause == "repeats":
        return f"{whose}: the same prompt was sent {used} times, {limit} are allowed"
    share = f" ({100 * used / limit:.0f} %)" if limit else ""
    money = f"{plain(usd_text(used))} of {plain(usd_text(limit))} {line.kind} used{share}"
    return f"{whose}: {money}" + (_DOES_NOT_FIT if would == "block" else "")


def usd_text(nano: int) -> str:
    """Nano-dollars as exact decimal text."""
    return f"{nano // NANO}.{nano % NANO:09d}"


def stated(budget: Budget, value: str, would: Action, cause: Cause, message: str) -> Decision:
    """A decision that comes from no counter: a limit of depth, a bound that is missing, a ledger that is gone."""
    whose = f"budget '{budget.name}'" + (f" of {budget.scope} '{value}'" if value else "")
    action = capped(would, budget.mode)
    return Decision(budget.name, action, would, cause, budget.scope, value, message=f"{whose}: {message}")


def strongest(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Decisions in order of severity, the most severe first; by what they would do where they do the same."""
    return tuple(sorted(decisions, key=lambda d: (-_SEVERITY[d.action], -_SEVERITY[d.would])))
