"""The engine's face: admit a call before it is sent, settle it afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from llmcost.control.admission import KNOWN, Admission
from llmcost.control.budget import Budget
from llmcost.control.callbacks import CallbackRunner
from llmcost.control.consulting import NO_CALLBACKS, Callbacks, Consultation, context_of
from llmcost.control.estimate import Estimator
from llmcost.control.ledger import Entry, Ledger, LedgerFailure, Option, Refusal, Request, Reservation, State
from llmcost.control.ledger.contract import NOTHING
from llmcost.control.notices import Told
from llmcost.control.offers import Offer, Offers
from llmcost.control.plan import Line, Plan, Planner
from llmcost.control.policy import (
    ALLOWED,
    Decision,
    Ticket,
    Verdict,
    as_degraded,
    judged,
    most_severe,
    only_warned,
    stated,
    strongest,
)
from llmcost.control.status import StatusReader
from llmcost.control.steps import Ask, Steps, attempt, drive, drive_async
from llmcost.records import make_tuple

SERIES: Final = ("global", "label", "model", "user")
"""Scopes whose spending is kept as a series, for forecasts and anomalies."""

RENEW_EVERY_S: Final = 120.0
LOOK_EVERY_S: Final = 5.0
"""A limit that is set while programs run counts in all of them after so many seconds."""


_NO_OPTION: Final = Option((), ())


class Controller:
    """Budgets over a ledger.

    The flow calls :meth:`admit` before the send (:meth:`admit_async` in an event loop), :meth:`renew` while chunks
    arrive, and once either :meth:`settle` or, for a call that was never sent, :meth:`release`.

    Args:
        budgets: checked budgets.
        ledger: where the money is counted.
        callbacks: the user's own say.
        runner: runs the callbacks.
        series: scopes whose spending is kept as series.
    """

    def __init__(
        self,
        budgets: Sequence[Budget],
        ledger: Ledger,
        callbacks: Callbacks = NO_CALLBACKS,
        *,
        runner: CallbackRunner | None = None,
        series: Sequence[str] = SERIES,
    ) -> None:
        self.budgets = tuple(budgets)
        self.ledger = ledger
        self.planner = Planner(budgets)
        self.estimator = Estimator()
        self.counts: Tally[str] = Tally()
        self.active = bool(self.budgets or series)
        self._offers = Offers(self.budgets, self.planner, self.estimator)
        self._callbacks = callbacks
        self._runner = runner or CallbackRunner()
        self._consultation = Consultation(callbacks)
        self._series = tuple(series)
        self._may_be_quick = not (callbacks.asks or self._offers.may_degrade)
        self._told = Told(ledger)
        self._renewed: dict[str, float] = {}
        self._looked = 0.0
        self.status = StatusReader(self.budgets, ledger, self.planner)

    @property
    def consults(self) -> bool:
        """Whether callbacks are heard before a call is sent."""
        return self._callbacks.asks

    @property
    def waits(self) -> bool:
        """Whether admitting a call may wait: for a network, or for a callback."""
        return self.ledger.network or self._callbacks.asks

    # --- before the send ------------------------------------------------------------------------------------

    def admit(self, admission: Admission) -> Verdict:
        """Whether, and with which model, a call may be sent. Never raises for a ledger or callback that fails."""
        if not self.budgets:
            return self._unlimited(admission)
        if not 0 <= admission.started - self._looked < LOOK_EVERY_S:  # also where the clock was put back
            self._look(admission.started)
        if self._may_be_quick:
            quick = self._quickly(admission)
            if quick is not None:
                return quick
        offers = wanted = self._offers.of(admission)
        heard: tuple[Decision, ...] = ()
        if self._callbacks.asks:
            offers, heard = drive(self._consulted(admission, offers), self._runner)
        return self._decided(admission, wanted[0], offers, heard)

    async def admit_async(self, admission: Admission) -> Verdict:
        """As :meth:`admit`, for event loops: no network is waited for in the loop."""
        if not self.budgets:
            return self._unlimited(admission)
        network = self.ledger.network
        if not network and self._may_be_quick:
            return self.admit(admission)
        if not 0 <= admission.started - self._looked < LOOK_EVERY_S:
            await asyncio.to_thread(self._look, admission.started)
        offers = wanted = self._offers.of(admission)
        heard: tuple[Decision, ...] = ()
        if self._callbacks.asks:
            offers, heard = await drive_async(self._consulted(admission, offers), self._runner, network=network)
        if network:
            return await asyncio.to_thread(self._decided, admission, wanted[0], offers, heard)
        return self._decided(admission, wanted[0], offers, heard)

    def _look(self, now: float) -> None:
        """Take in the limits that people have set meanwhile; a ledger that fails leaves those that are known."""
        self._looked = now
        limits = attempt(self.ledger.limits)
        if not isinstance(limits, LedgerFailure):
            self.planner.use(limits)

    def _quickly(self, admission: Admission) -> Verdict | None:
        """The everyday call: one model, a known price, and budgets of money alone. None for every other call."""
        call_id, started, model, values, quote = admission[:5]
        plan = self.planner.plan(values, started, model)
        if not plan.plain or quote.status not in KNOWN:
            return None
        amount = self._offers.fair(admission, model, quote)
        options = plan.holding(amount)
        answer: Reservation | Refusal | LedgerFailure
        try:
            answer = self.ledger.reserve(make_tuple(Request, (call_id, options, False)))
        except LedgerFailure as failure:
            answer = failure
        if isinstance(answer, Reservation) and (not answer.states or _is_quiet(plan, amount, answer.states)):
            ticket = make_tuple(Ticket, (admission, model, plan.lines))
            return make_tuple(Verdict, ("allow", None, (), answer, (), ticket))
        return self._answered(admission, [Offer(model, plan.lines, options[0])], answer, ())

    def _unlimited(self, admission: Admission) -> Verdict:
        return Verdict(ticket=Ticket(admission, admission.model, ())) if self.active else ALLOWED

    def _consulted(self, admission: Admission, offers: list[Offer]) -> Steps[tuple[list[Offer], tuple[Decision, ...]]]:
        states = yield Ask(self.ledger.states, (offers[0].option.counters,))
        known = (NOTHING,) * len(offers[0].lines) if isinstance(states, LedgerFailure) else states
        return (yield from self._consultation.hear(admission, offers, known))

    def _decided(
        self, admission: Admission, wanted: Offer, offers: list[Offer], heard: tuple[Decision, ...]
    ) -> Verdict:
        if not wanted.lines and not wanted.stated:
            return self._unlimited(admission)
        open_offers = [offer for offer in offers if not offer.stated or not offer.ruled_out]
        if not open_offers or (heard and most_severe(decision.action for decision in heard) == "block"):
            return self._blocked(admission, (*heard, *wanted.stated))
        request = Request(admission.call_id, tuple([offer.option for offer in open_offers]))
        answer = attempt(self.ledger.reserve, request)
        return self._answered(admission, open_offers, answer, heard, wanted)

    def _answered(
        self,
        admission: Admission,
        offers: Sequence[Offer],
        answer: Reservation | Refusal | LedgerFailure,
        heard: tuple[Decision, ...],
        wanted: Offer | None = None,
    ) -> Verdict:
        """What the ledger's answer means. ``wanted`` is the call as it was meant, the first offer by default."""
        if isinstance(answer, Reservation):
            return self._granted(wanted or offers[0], offers[answer.choice], answer, heard, admission)
        if isinstance(answer, Refusal):
            return self._refused(admission, offers, answer, heard)
        return self._unverified(admission, offers[0], answer, heard)

    def _granted(
        self,
        wanted: Offer,
        taken: Offer,
        reservation: Reservation,
        heard: tuple[Decision, ...],
        admission: Admission,
    ) -> Verdict:
        ticket = Ticket(admission, taken.model, taken.lines)
        degraded = taken.model != wanted.model
        found = [*heard, *taken.stated]
        asked: dict[str, int] = {}
        if degraded:
            asked = dict(zip((line.counter.key for line in wanted.lines), wanted.option.amounts, strict=True))
        judging = zip(taken.lines, taken.option.amounts, reservation.states, strict=True) if reservation.states else ()
        for line, amount, state in judging:
            can_degrade = degraded and admission.model in line.budget.fallbacks
            wish = asked.get(line.counter.key, amount)
            decision = judged(line, wish, state, now=admission.started, can_degrade=can_degrade)
            if decision is not None:
                found.append(decision)
        found = _degraded(found, admission, taken) if degraded else [only_warned(decision) for decision in found]
        if not found:
            return Verdict(reservation=reservation, ticket=ticket)
        action = most_severe(decision.action for decision in found)
        self.counts[action] += 1
        warnings = self._warnings(ticket, reservation.states)
        return Verdict(action, taken.model if degraded else None, strongest(found), reservation, warnings, ticket)

    def _refused(
        self, admission: Admission, offers: Sequence[Offer], refusal: Refusal, heard: tuple[Decision, ...]
    ) -> Verdict:
        found = list(heard)
        for offer, states in list(zip(offers, refusal.states, strict=True))[-1:]:
            found.extend(offer.stated)
            for line, amount, state in zip(offer.lines, offer.option.amounts, states, strict=True):
                decision = judged(line, amount, state, now=admission.started, can_degrade=False)
                if decision is not None:
                    found.append(decision)
        return self._blocked(admission, tuple(found))

    def _blocked(self, admission: Admission, decisions: tuple[Decision, ...]) -> Verdict:
        self.counts["block"] += 1
        return Verdict("block", None, strongest(decisions), ticket=Ticket(admission, admission.model, ()))

    def _unverified(
        self, admission: Admission, offer: Offer, failure: LedgerFailure, heard: tuple[Decision, ...]
    ) -> Verdict:
        """The ledger cannot say: each budget's ``on_failure`` does. A call that is known to be free passes."""
        self.counts["ledger_failures"] += 1
        free = admission.quote.status == "free" and all(line.calls is None for line in offer.lines)
        seen: dict[str, Decision] = {}
        for line in offer.lines:
            rule = "allow" if free else line.budget.failure_rule
            if line.budget.name not in seen:
                seen[line.budget.name] = stated(line.budget, line.value, rule, "ledger", str(failure))
        found = (*heard, *offer.stated, *seen.values())
        if most_severe(decision.action for decision in found) == "block":
            return self._blocked(admission, found)
        self.counts["unverified"] += 1
        action = most_severe(decision.action for decision in found)
        reservation = Reservation(admission.call_id, 0, offer.option, (), verified=False)
        return Verdict(action, None, strongest(found), reservation, ticket=Ticket(admission, offer.model, offer.lines))

    # --- after the send -------------------------------------------------------------------------------------

    def settle(self, verdict: Verdict, actual: int | None, model: str | None = None) -> tuple[Decision, ...]:
        """Book what a call cost and give its hold back.

        Args:
            verdict: the answer that let the call pass.
            actual: nano-dollars; None where the cost is not known. Such a call counts with what it held, since unknown
                is not zero; in series it is a call without money.
            model: the model that answered, where it is another than the one sent.

        Returns:
            Warnings that this call sets off, each told once per threshold and window over all processes.
        """
        ticket = verdict.ticket
        if ticket is None or verdict.action == "block":
            return ()
        admission = ticket.admission
        if self._renewed:
            self._renewed.pop(admission.call_id, None)
        if actual:
            self.estimator.add(admission.values.get("label", ""), ticket.model, actual)
        entries = self._entries(admission, model or ticket.model, actual or 0) if self._series else ()
        if not entries and verdict.reservation is None:
            return ()
        reservation = verdict.reservation or Reservation(admission.call_id, 0, _NO_OPTION, ())
        booked = max(reservation.option.amounts, default=0) if actual is None else actual
        try:
            states = self.ledger.settle(reservation, booked, entries)
        except LedgerFailure:
            self.counts["unsettled"] += 1
            return ()
        return self._warnings(ticket, states) if states else ()

    def book(self, admission: Admission, actual: int | None) -> tuple[Decision, ...]:
        """Book a call that nobody asked for, such as one that was seen only when it had ended.

        Args:
            admission: the call.
            actual: nano-dollars; None where the cost is not known.

        Returns:
            Warnings, as :meth:`settle` does.
        """
        plan = self.planner.plan(admission.values, admission.started, admission.model)
        option = Option(plan.counters, (0,) * len(plan.counters))
        reservation = Reservation(admission.call_id, 0, option, (), verified=False)
        ticket = Ticket(admission, admission.model, plan.lines)
        return self.settle(Verdict(reservation=reservation, ticket=ticket), actual)

    def release(self, verdict: Verdict) -> None:
        """Give the hold of a call back that was never sent."""
        if verdict.reservation is not None:
            attempt(self.ledger.release, verdict.reservation)

    def renew(self, verdict: Verdict) -> None:
        """A chunk has arrived: the call lives. Talks to the ledger at most every two minutes."""
        reservation = verdict.reservation
        if reservation is None or verdict.ticket is None:
            return
        now = self.ledger.now()
        last = self._renewed.get(reservation.call_id, verdict.ticket.admission.started)
        if now - last >= RENEW_EVERY_S:
            self._renewed[reservation.call_id] = now
            attempt(self.ledger.renew, reservation)

    @property
    def waiting(self) -> int:
        """Calls whose cost could not be booked yet."""
        return self.ledger.waiting

    def tidy(self) -> None:
        """For quiet moments, every minute or so: books what waits, returns old leases, rolls old buckets up."""
        attempt(self.ledger.tidy)

    def close(self) -> None:
        """For the end of the program: returns leases, books what waits, lets go of connections."""
        attempt(self.ledger.close)

    def _entries(self, admission: Admission, model: str, cost: int) -> list[Entry]:
        values = admission.values
        entries = []
        for scope in self._series:
            value = "" if scope == "global" else model if scope == "model" else values.get(scope)
            if value is not None:
                entries.append(Entry(series_name(scope, value), admission.started, cost))
        return entries

    def _warnings(self, ticket: Ticket, states: Sequence[State]) -> tuple[Decision, ...]:
        news = self._told.news(ticket.lines, states, ticket.admission.started) if states else ()
        if not news:
            return ()
        told: list[Decision] = []
        for one in news:
            if attempt(self._told.claim, one) is True:
                told.append(one.decision)
                self._warn(ticket, one.line, one.state)
        return tuple(told)

    def _warn(self, ticket: Ticket, line: Line, state: State) -> None:
        if self._callbacks.on_budget_warning is not None:
            context = context_of(ticket.admission, line, state, 0, ticket.admission.started)
            self._runner.start(self._callbacks.on_budget_warning, context)


def _is_quiet(plan: Plan, amount: int, states: Sequence[State]) -> bool:
    """Whether no line of a plan has anything to say to a call that holds an amount."""
    for (warn, block), (spent, held, _) in zip(plan.ceilings, states, strict=True):
        used = spent + held
        if used >= warn or used + amount > block:
            return False
    return True


def series_name(scope: str, value: str = "") -> str:
    """The name of a series in the ledger: ``global`` or ``scope=value``."""
    return f"{scope}={value}" if value else scope


def _degraded(found: list[Decision], admission: Admission, taken: Offer) -> list[Decision]:
    """What is said where a smaller model is used: at least one budget answers for it."""
    found = [as_degraded(decision) for decision in found]
    if not any(decision.action == "degrade" for decision in found):
        line = next((line for line in taken.lines if admission.model in line.budget.fallbacks), taken.lines[0])
        message = f"'{taken.model}' is used in place of '{admission.model}'"
        found.append(replace(stated(line.budget, line.value, "degrade", "money", message), action="degrade"))
    return found
