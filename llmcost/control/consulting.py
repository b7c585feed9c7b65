"""Asking the user's callbacks before a call is sent, and weighing what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmcost.control.admission import Admission
from llmcost.control.callbacks import Answer, BudgetCheck, BudgetWarning, EnforcementContext, ModelFilter
from llmcost.control.ledger import State
from llmcost.control.money import usd_of
from llmcost.control.offers import Offer
from llmcost.control.plan import Line
from llmcost.control.policy import ACTIONS, Action, Decision, only_warned, stated
from llmcost.control.steps import Ask, Steps


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the user's program says to budgets; see :mod:`llmcost.control.callbacks`."""

    on_budget_check: BudgetCheck | None = None
    on_model_filter: ModelFilter | None = None
    on_budget_warning: BudgetWarning | None = None

    @property
    def asks(self) -> bool:
        """Whether a call has to wait for an answer."""
        return self.on_budget_check is not None or self.on_model_filter is not None


NO_CALLBACKS = Callbacks()


def context_of(admission: Admission, line: Line, state: State, amount: int, now: float) -> EnforcementContext:
    """What a callback is told about a call and one line of a budget."""
    spent, held, calls = state
    used, limit = spent + held, line.limit
    return EnforcementContext(
        user_id=admission.values.get("user"),
        budget=line.budget.name,
        limit=None if limit is None else usd_of(limit),
        remaining=None if limit is None else usd_of(max(0, limit - used)),
        used=usd_of(used),
        pct_used=_share(line, state),
        current_cost=usd_of(amount),
        total_requests=calls,
        window=line.kind,
        resets_at=line.resets_at(now),
        label=admission.label,
        model=admission.model,
        scope=line.budget.scope,
        value=line.value,
    )


class Consultation:
    """Puts a call before the callbacks. A callback that raises, hangs or talks nonsense follows ``on_failure``."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    def hear(
        self, admission: Admission, offers: list[Offer], states: Sequence[State]
    ) -> Steps[tuple[list[Offer], tuple[Decision, ...]]]:
        """The offers that are left, and what the callbacks decided."""
        tightest = _tightest(offers[0], states)
        contexts = [
            (line, context_of(admission, line, state, amount, admission.started)) for line, state, amount in tightest
        ]
        decisions: list[Decision] = []
        if contexts and self._callbacks.on_model_filter is not None:
            offers, said = yield from self._filtered(self._callbacks.on_model_filter, contexts[0], offers)
            decisions.extend(said)
        if self._callbacks.on_budget_check is not None:
            for line, context in contexts:
                answer = yield Ask(self._callbacks.on_budget_check, (context,), callback=True)
                decisions.extend(_heard(answer, line))
        if any(decision.action == "degrade" for decision in decisions):
            smaller = [offer for offer in offers if offer.model != admission.model]
            if smaller:
                offers = smaller
            else:
                decisions = [only_warned(decision) for decision in decisions]
        return offers, tuple(decisions)

    def _filtered(
        self, ask: ModelFilter, tightest: tuple[Line, EnforcementContext], offers: list[Offer]
    ) -> Steps[tuple[list[Offer], list[Decision]]]:
        line, context = tightest
        models = list(dict.fromkeys(offer.model for offer in offers))
        answer: Answer = yield Ask(ask, (context, models), callback=True)
        if answer.failed is None and answer.value is None:
            return offers, []
        if answer.failed is not None or isinstance(answer.value, str) or not isinstance(answer.value, Sequence):
            return offers, [_failed(line, answer, "a list of models")]
        left = [offer for offer in offers if offer.model in answer.value]
        if left:
            return left, []
        message = f"no model is left of {', '.join(models)}"
        return offers, [replace(stated(line.budget, line.value, "block", "callback", message), action="block")]


def _tightest(offer: Offer, states: Sequence[State]) -> list[tuple[Line, State, int]]:
    """For each budget its most used line; the most used budget first."""
    best: dict[str, tuple[Line, State, int]] = {}
    for line, state, amount in zip(offer.lines, states, offer.option.amounts, strict=True):
        known = best.get(line.budget.name)
        if known is None or _share(line, state) > _share(known[0], known[1]):
            best[line.budget.name] = (line, state, amount)
    return sorted(best.values(), key=lambda row: -_share(row[0], row[1]))


def _share(line: Line, state: State) -> float:
    if line.limit is None:
        return state[2] / line.calls if line.calls else 1.0
    return (state[0] + state[1]) / line.limit if line.limit else 1.0


def _heard(answer: Answer, line: Line) -> list[Decision]:
    if answer.failed is None and answer.value is None:
        return []
    action, message = _parted(answer.value)
    if answer.failed is not None or action is None:
        return [_failed(line, answer, "allow, warn, degrade or block")]
    if action == "allow":
        return []
    decision = stated(line.budget, line.value, action, "callback", message or f"the callback says {action}")
    # The user's own word is not softened by the budget's mode.
    return [replace(decision, action=action)]


def _parted(value: Any) -> tuple[Action | None, str]:
    word, message = value if isinstance(value, tuple) and len(value) == 2 else (value, "")
    text = str(getattr(word, "value", word)).lower()
    return next((action for action in ACTIONS if action == text), None), str(message or "")


def _failed(line: Line, answer: Answer, wanted: str) -> Decision:
    what = answer.failed or f"answered {answer.value!r} in place of {wanted}"
    return stated(line.budget, line.value, line.budget.failure_rule, "callback", f"the callback failed ({what})")
