"""A call that was put before the budgets: what they said, what it holds, and how that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from llmcost import semconv
from llmcost.calls import Call, Quoted, nano_dollars
from llmcost.control import Admission, Budget, Controller, Decision, Quote, Verdict, usd_of
from llmcost.exchange.guard import log
from llmcost.exchange.said import Said
from llmcost.exchange.settling import Settler
from llmcost.records import make_tuple

RENEW_AFTER_S: Final = 60.0
"""A stream shows a sign of life to the ledger after so many seconds."""

_ALLOW: Final = {semconv.BUDGET_ACTION: "allow"}
Event = tuple[str, Mapping[str, Any]]


class Books:
    """Where held calls are settled: the controller, and the thread that books over the network.

    Args:
        controller: the budgets.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.settler = Settler(controller)
        self.fallbacks = fallbacks_of(controller.budgets)

    def settle(self, verdict: Verdict, actual: int | None) -> Sequence[Decision]:
        """Book what a call cost; see :meth:`Held.settle`."""
        if not self.settler.at_once:
            return self._booked(lambda: self.controller.settle(verdict, actual))
        told = self.controller.settle(verdict, actual)
        if told:
            self.tell(told)
        return told

    def book(self, admission: Admission, actual: int | None) -> Sequence[Decision]:
        """Book a call that nobody asked for."""
        return self._booked(lambda: self.controller.book(admission, actual))

    def _booked(self, work: Callable[[], Sequence[Decision]]) -> Sequence[Decision]:
        told: Sequence[Decision] = ()

        def settle() -> None:
            nonlocal told
            told = work()
            self.tell(told)

        self.settler.do(settle)
        return told

    def tell(self, warnings: Sequence[Decision]) -> None:
        """A threshold was crossed: say so in the log, once over all processes."""
        # Two thresholds that one call crosses are one message.
        for message in dict.fromkeys(warning.message for warning in warnings):
            log.warning("llmcost: %s", message)


class Held:
    """One admitted call. Whatever ends it first settles it; the ledger makes repeats harmless.

    Attributes:
        call_id: the id under which the ledger knows the call.
        verdict: what the budgets said.
        requested_model: the model that the program asked for, where another is sent.
        waited: seconds that the call waited for its verdict.
    """

    __slots__ = ("_alive", "_books", "_open", "call_id", "requested_model", "verdict", "waited")

    def __init__(self, books: Books, call_id: str, verdict: Verdict, requested_model: str | None = None) -> None:
        self.call_id = call_id
        self.verdict = verdict
        self.requested_model = requested_model
        self.waited = 0.0
        self._books = books
        self._open = True
        self._alive = 0.0

    def settle(self, call: Call, *, sent: bool = True) -> Sequence[Event]:
        """Book a finished call.

        Args:
            call: its record. Where it says no cost, the call counts with what it held: unknown is not zero.
            sent: whether the request left this machine; one that did not gives its hold back.

        Returns:
            For its span, thresholds that the call crossed and that nobody has told yet. Empty where these come later,
            from a ledger over the network.
        """
        if not self._open:
            return ()
        self._open = False
        if not sent:
            self.release()
            return ()
        warnings = self._books.settle(self.verdict, cost_of(call))
        return [event_of(semconv.BUDGET_WARNING_EVENT, warning) for warning in warnings] if warnings else ()

    def give_up(self) -> None:
        """Settle a call that no record could be made of."""
        if self._open:
            self._open = False
            self._books.settle(self.verdict, None)

    def release(self) -> None:
        """Give the hold of a call back that was never sent."""
        self._open = False
        controller, verdict = self._books.controller, self.verdict
        self._books.settler.do(lambda: controller.release(verdict))

    def said(self) -> Said:
        """For the record: what the budgets said, and what they were told. A replay can then tell them the same."""
        verdict = self.verdict
        action = verdict.action
        budget = None if action == "allow" else verdict.budget
        if verdict.ticket is None:
            return Said(action, budget, self.requested_model)
        admission = verdict.ticket.admission
        quotes = {admission.model: _quoted(admission.quote)}
        if admission.quote_for is not None:
            for model in self._books.fallbacks[admission.model]:
                quotes[model] = _quoted(admission.quote_for(model))
        told = action, budget, self.requested_model, quotes, admission.prompt_hash, self.waited
        return make_tuple(Said, told)

    def alive(self, now: float) -> None:
        """A chunk has arrived at monotonic second ``now``: the hold is to last."""
        if now >= self._alive:
            first, self._alive = self._alive == 0.0, now + RENEW_AFTER_S
            if not first:
                controller, verdict = self._books.controller, self.verdict
                self._books.settler.do(lambda: controller.renew(verdict))

    def attributes(self) -> Mapping[str, str]:
        """What the span tells of the answer."""
        if self.verdict.action == "allow":
            return _ALLOW
        found = {semconv.BUDGET_ACTION: self.verdict.action, semconv.BUDGET_NAME: self.verdict.budget or ""}
        if self.requested_model is not None:
            found[semconv.REQUESTED_MODEL] = self.requested_model
        return found

    def events(self) -> list[Event]:
        """What the span tells of the admission: thresholds crossed, and what was decided against the call as asked."""
        found = [event_of(semconv.BUDGET_WARNING_EVENT, warning) for warning in self.verdict.warnings]
        if self.verdict.action in ("degrade", "block"):
            found.extend(
                event_of(semconv.BUDGET_DECISION_EVENT, decision)
                for decision in self.verdict.decisions
                if decision.action != "allow"
            )
        return found


def fallbacks_of(budgets: Iterable[Budget]) -> Mapping[str, tuple[str, ...]]:
    """The models that any budget may put in a model's place."""
    found: dict[str, tuple[str, ...]] = {}
    for budget in budgets:
        for model, fallbacks in budget.fallbacks.items():
            found[model] = tuple(dict.fromkeys((*found.get(model, ()), *fallbacks)))
    return found


def _quoted(quote: Quote) -> Quoted:
    return quote.status, quote.estimate, quote.bound, quote.unbounded


def cost_of(call: Call) -> int | None:
    """What a call cost in nano-dollars; None where that is not known."""
    if call.cost.total is not None:
        return nano_dollars(call.cost.total)
    return 0 if call.cost.status == "not_billed" else None


def event_of(name: str, decision: Decision) -> Event:
    """A span event that says what a budget said; money is in USD."""
    in_money = decision.cause == "money"
    attributes: dict[str, Any] = {
        semconv.BUDGET_NAME: decision.budget,
        semconv.BUDGET_ACTION: decision.action,
        semconv.BUDGET_WOULD: decision.would,
        semconv.BUDGET_CAUSE: decision.cause,
        semconv.BUDGET_SCOPE: decision.scope,
        semconv.BUDGET_USED_ATTRIBUTE: usd_of(decision.used) if in_money else decision.used,
        semconv.BUDGET_MESSAGE: decision.message,
    }
    if decision.window:
        attributes[semconv.BUDGET_WINDOW] = decision.window
    if decision.limit is not None:
        attributes[semconv.BUDGET_LIMIT_ATTRIBUTE] = usd_of(decision.limit) if in_money else decision.limit
    return name, attributes
