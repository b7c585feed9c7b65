"""The ways in which a call may be made: with the model asked for, or with one of its fallbacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llmcost.control.admission import UNPRICED, Admission, Quote
from llmcost.control.budget import Budget
from llmcost.control.estimate import Estimator
from llmcost.control.ledger import Counter, Option
from llmcost.control.plan import Line, Plan, Planner, repeat_line
from llmcost.control.policy import Decision, stated


class Offer(NamedTuple):
    """A model, what it would hold where, and what budgets say without looking at any counter."""

    model: str
    lines: tuple[Line, ...]
    option: Option
    stated: tuple[Decision, ...] = ()

    @property
    def ruled_out(self) -> bool:
        """Whether a budget refuses this model whatever was spent."""
        return any(decision.action == "block" for decision in self.stated)


class Offers:
    """Makes the offers of a call."""

    def __init__(self, budgets: Sequence[Budget], planner: Planner, estimator: Estimator) -> None:
        self._planner = planner
        self._estimator = estimator
        self._degrading = tuple(
            budget for budget in budgets if budget.fallbacks and budget.mode in ("degrade", "block")
        )

    def of(self, admission: Admission, models: frozenset[str] | None = None) -> list[Offer]:
        """The offers in order of preference; the model asked for always comes first.

        Args:
            admission: the call.
            models: only fallbacks among these, where given.
        """
        plan = self._planner.plan(admission.values, admission.started, admission.model)
        if not self._degrading:
            return [self._offer(admission, admission.model, admission.quote, plan, plan.counters)]
        fallbacks = [model for model in self._fallbacks(admission, plan) if models is None or model in models]
        if not fallbacks:
            return [self._offer(admission, admission.model, admission.quote, plan, plan.counters)]
        names = frozenset(budget.name for budget in self._degrading if admission.model in budget.fallbacks)
        below = self._planner.degrading(plan, names)
        offers = [self._offer(admission, admission.model, admission.quote, plan, below)]
        for model in fallbacks:
            quote = admission.quote_for(model) if admission.quote_for else UNPRICED
            its_plan = self._planner.plan(admission.values, admission.started, model)
            offers.append(self._offer(admission, model, quote, its_plan, its_plan.counters))
        offers.append(self._offer(admission, admission.model, admission.quote, plan, plan.counters))
        return offers

    @property
    def may_degrade(self) -> bool:
        """Whether any budget has fallbacks."""
        return bool(self._degrading)

    def fair(self, admission: Admission, model: str, quote: Quote) -> int:
        """What such calls cost in 99 of 100 cases, at most what this one can cost."""
        guess = self._estimator.guess(admission.label, model, quote.estimate)
        return guess if quote.bound is None or guess < quote.bound else quote.bound

    def _fallbacks(self, admission: Admission, plan: Plan) -> list[str]:
        if not admission.rewritable:
            return []
        applying = {line.budget.name for line in plan.lines}
        found = [
            model
            for budget in self._degrading
            if budget.name in applying
            for model in budget.fallbacks.get(admission.model, ())
        ]
        return list(dict.fromkeys(found))

    def _offer(
        self, admission: Admission, model: str, quote: Quote, plan: Plan, counters: tuple[Counter, ...]
    ) -> Offer:
        fair = self.fair(admission, model, quote)  # 0 where nothing is known: the rule for unpriced calls decides then
        lines = plan.lines
        if not plan.strict and not plan.repeats and not plan.max_depth and quote.has_price:
            return Offer(model, lines, Option(counters, (fair,) * len(counters)))
        strict = fair if quote.bound is None else quote.bound
        amounts = [strict if line.budget.bound == "strict" and quote.has_price else fair for line in lines]
        repeats = tuple(_repeats(admission, plan))
        return Offer(
            model,
            (*lines, *repeats),
            Option((*counters, *(line.counter for line in repeats)), (*amounts, *(0 for _ in repeats))),
            tuple(_stated(admission, model, quote, plan)),
        )


def _repeats(admission: Admission, plan: Plan) -> Iterator[Line]:
    if admission.prompt_hash is not None:
        for budget, value, limit in plan.repeats:
            yield repeat_line(budget, value, admission.prompt_hash, limit, admission.started)


def _stated(admission: Admission, model: str, quote: Quote, plan: Plan) -> Iterator[Decision]:
    for budget, value, limit in plan.max_depth:
        if admission.depth > limit:
            yield stated(budget, value, "block", "depth", f"depth {admission.depth} is more than {limit}")
    seen: set[str] = set()
    for line in plan.lines:
        budget = line.budget
        if budget.name in seen or line.limit is None:
            continue
        seen.add(budget.name)
        if not quote.has_price:
            what = "is listed at 0, which is not believed" if quote.status == "zero_listed" else "has no known price"
            known = f"; set {quote.unbounded}" if quote.unbounded else ""
            yield stated(budget, line.value, budget.unpriced_rule, "unpriced", f"model '{model}' {what}{known}")
        elif budget.bound == "strict" and quote.bound is None:
            field = quote.unbounded or "the length of the answer"
            yield stated(budget, line.value, "block", "unbounded", f"nothing bounds this call's cost; set {field}")
