"""The step of the flow between attribution and send: a call is put before the budgets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry import trace

from llmcost.calls import Attribution, Call, nano_dollars
from llmcost.control import ALLOWED, UNPRICED, Admission, Controller, Decision, Quote, Verdict
from llmcost.control.values import asker_of, values_of
from llmcost.exchange.asking import Asking, in_thread, under_asyncio
from llmcost.exchange.by_hand import give_way
from llmcost.exchange.held import Books, Held, cost_of
from llmcost.exchange.quoting import Quotes
from llmcost.exchange.started import Started
from llmcost.pricing import PriceBook
from llmcost.providers import Endpoint, RequestFacts
from llmcost.providers.wanted import load
from llmcost.records import make_tuple

_MOST_KEPT: Final = 1_024
_MOST_SEEN: Final = 200
_MOST_LATELY: Final = 1_000
OPEN_SCOPES: Final = frozenset({"label", "model", "provider", "agent", "workflow", "call_type"})
"""Scopes whose values may stand in metrics: they name code and models. Users, sessions and other ids never do."""

DecisionCounts = Counter[tuple[str, str, str]]
"""How often each budget said what: by its name, its action, and what it would have done in mode ``block``."""


class Gate:
    """Puts calls before the budgets and counts what these say.

    Args:
        controller: the budgets.
        prices: what a call may cost is quoted by it.
        run_id: id of this run of the program; without one, this process is the run.
        gauges: how many values of other scopes than :data:`OPEN_SCOPES` each budget shows in metrics, the most used.
    """

    def __init__(
        self, controller: Controller, prices: PriceBook, run_id: str | None = None, *, gauges: int = 0
    ) -> None:
        budgets = controller.budgets
        self.controller = controller
        self.books = Books(controller)
        self.fallbacks = self.books.fallbacks
        self.decisions: DecisionCounts = Counter()
        self._run_id = run_id or uuid.uuid4().hex
        self._quotes = Quotes(prices, strict=any(budget.bound == "strict" for budget in budgets))
        limits = [each for budget in budgets for each in (budget, *budget.overrides.values())]
        self._hashes = any(each.max_repeats is not None for each in limits)
        scopes = {budget.scope for budget in budgets}
        self._traces = "trace" in scopes
        self._open_scopes = scopes & OPEN_SCOPES
        self._values: dict[int, tuple[Attribution, tuple[str, ...], Mapping[str, str]]] = {}
        self.seen: dict[tuple[str, str], None] = {}
        """Values of :data:`OPEN_SCOPES` that calls of this process had, for metrics; bounded."""
        self.gauges = gauges
        self._shut_scopes = scopes - OPEN_SCOPES - {"global", "trace"} if gauges else frozenset()
        self.lately: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Values of other scopes, where metrics show any: those of this process that came last; bounded."""

    def asking(self, call_id: str, started: Started, *, rewritable: bool) -> Asking:
        """The question that a call puts.

        Args:
            call_id: the call's id.
            started: what is known of it.
            rewritable: whether another model can be put into its request.
        """
        self.books.settler.start()
        give_way()
        endpoint, facts, attribution = started.endpoint, started.request, started.attribution
        model, at = facts.model or "", started.at_ns / 1e9
        values = self._values_of(attribution, model, endpoint.provider, endpoint.operation)
        quote = self._quotes.of(endpoint, facts, model, at) if model else UNPRICED
        quote_for = self._quote_for(endpoint, facts, at) if model in self.fallbacks else None
        prompt_hash = _prompt_hash(endpoint, facts) if self._hashes else None
        asked = call_id, at, model, values, quote, quote_for, _depth(attribution), prompt_hash, rewritable
        admission = make_tuple(Admission, asked)
        return Asking(admission, self.ask, self.ask_async, ALLOWED)

    def book(self, call: Call) -> Sequence[Decision]:
        """Book a call that was seen only when it had ended; returns warnings, as settling does."""
        attribution, model = call.attribution, call.request_model or ""
        values = self._values_of(attribution, model, call.provider, call.operation)
        admission = Admission(call.id, call.started_ns / 1e9, model, values, depth=_depth(attribution))
        return self.books.book(admission, cost_of(call))

    def logged(self, call: Call, estimated_cost: float | None = None) -> Asking:
        """The question that a call puts which is made out of the flow's sight, and told by hand.

        Args:
            call: what is known of it.
            estimated_cost: USD that it costs at most. Without it the call holds what such calls usually cost, nothing
                bounds it, and one of a model without a known price is unpriced.
        """
        self.books.settler.start()
        attribution, model = call.attribution, call.request_model or ""
        at = call.started_ns / 1e9
        if estimated_cost is None:
            quote = self._quotes.by_hand(call.provider, model, at)
        else:
            quote = _bounded(nano_dollars(estimated_cost))
        values = self._values_of(attribution, model, call.provider, call.operation)
        admission = Admission(call.id, at, model, values, quote, depth=_depth(attribution), rewritable=False)
        return Asking(admission, self.ask, self.ask_async, ALLOWED)

    def _quote_for(self, endpoint: Endpoint, facts: RequestFacts, at: float) -> Callable[[str], Quote]:
        return lambda model: self._quotes.of(endpoint, facts, model, at)

    def held(self, call_id: str, model: str | None, verdict: Verdict) -> Held:
        """The call as the budgets let it pass, or did not. ``model`` is the one asked for."""
        for decision in verdict.decisions:
            self.decisions[decision.budget, decision.action, decision.would] += 1
        if verdict.warnings:
            self.books.tell(verdict.warnings)
        return Held(self.books, call_id, verdict, model if verdict.model is not None else None)

    def ask(self, admission: Admission) -> Verdict:
        """Ask in this thread. What this process has spent but not booked yet refuses no call of its own."""
        waiting = self.books.settler.waiting
        verdict = self.controller.admit(admission)
        if waiting and _too_early(verdict) and self._booked(verdict):
            return self._again(verdict, self.controller.admit(admission))
        return verdict

    async def ask_async(self, admission: Admission) -> Verdict:
        """Ask in an event loop. A program that gives up meanwhile leaves no hold behind."""
        if not self.controller.waits:
            return self.controller.admit(admission)
        waiting = self.books.settler.waiting
        verdict = await self._waited(admission)
        if waiting and _too_early(verdict) and await self._booked_in_thread(verdict):
            return self._again(verdict, await self._waited(admission))
        return verdict

    def _booked(self, verdict: Verdict) -> bool:
        """Whether all is booked now that waited. Then the verdict holds nothing any more, and can be asked for anew;
        else it stands as it is."""
        if not self.books.settler.flush():
            return False
        self.controller.release(verdict)
        return True

    async def _booked_in_thread(self, verdict: Verdict) -> bool:
        try:
            return await in_thread(self._booked, verdict)
        except BaseException:
            self.books.settler.do(lambda: self.controller.release(verdict))
            raise

    def _again(self, first: Verdict, second: Verdict) -> Verdict:
        return second._replace(warnings=(*first.warnings, *second.warnings)) if first.warnings else second

    async def _waited(self, admission: Admission) -> Verdict:
        """Ask in a thread; where callbacks are heard, those that are coroutine functions run in the caller's loop."""
        if self.controller.consults and under_asyncio():
            task = asyncio.ensure_future(self.controller.admit_async(admission))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                task.add_done_callback(self._nobody_waits)
                raise
        late = _Late(self.controller, admission)
        try:
            return await in_thread(late.ask)
        except BaseException:
            self.books.settler.do(late.leave)
            raise

    def _nobody_waits(self, task: asyncio.Future[Verdict]) -> None:
        if not task.cancelled() and task.exception() is None:
            verdict = task.result()
            self.books.settler.do(lambda: self.controller.release(verdict))

    def rest(self) -> None:
        """For the end of the program, or of a turn of it: book what waits, return leases, let go of connections."""
        self.books.settler.flush()
        self.controller.close()

    def close(self) -> None:
        """As :meth:`rest`, and end the thread."""
        self.books.settler.close()
        self.controller.close()

    def _values_of(self, attribution: Attribution, *what: str) -> Mapping[str, str]:
        """The values of the scopes; kept by attribution, which the next call from the same place shares.

        Args:
            attribution: where the call comes from, and for whom.
            what: its model, provider and operation.
        """
        known = self._values.get(id(attribution))
        if known is None or known[0] is not attribution or known[1] != what:
            if len(self._values) >= _MOST_KEPT:
                self._values.clear()
            known = attribution, what, self._made(attribution, *what)
            self._values[id(attribution)] = known
        return {**known[2], **_trace_value()} if self._traces else known[2]

    def asker(self, attribution: Attribution) -> Mapping[str, str]:
        """The values of scopes that are known before there is a request: who asks, from where, and in which run."""
        return {"run": self._run_id, **asker_of(attribution), **(_trace_value() if self._traces else {})}

    def _made(self, attribution: Attribution, model: str, provider: str, operation: str) -> Mapping[str, str]:
        values = {"run": self._run_id, **values_of(attribution, provider, operation)}
        for scope in self._open_scopes:
            value = model if scope == "model" else values.get(scope)
            if value is not None and len(self.seen) < _MOST_SEEN:
                self.seen[scope, value] = None
        for scope in self._shut_scopes & values.keys():
            self._remember(scope, values[scope])
        return values

    def _remember(self, scope: str, value: str) -> None:
        self.lately.pop((scope, value), None)
        self.lately[scope, value] = None
        if len(self.lately) > _MOST_LATELY:
            self.lately.popitem(last=False)


class _Late:
    """A question whose asker may go before the answer comes; then nobody sends the call, and its hold is given back.

    The thread first leaves its answer and then looks whether the asker has gone; the asker goes and then looks for an
    answer. So one of them gives the hold back, or both, which is the same.
    """

    def __init__(self, controller: Controller, admission: Admission) -> None:
        self._controller = controller
        self._admission = admission
        self._verdict: Verdict | None = None
        self._gone = False

    def ask(self) -> Verdict:
        """Ask, in a thread."""
        self._verdict = verdict = self._controller.admit(self._admission)
        if self._gone:
            self._controller.release(verdict)
        return verdict

    def leave(self) -> None:
        """The asker waits no more."""
        self._gone = True
        if self._verdict is not None:
            self._controller.release(self._verdict)


def _too_early(verdict: Verdict) -> bool:
    """Whether a verdict may be owed to holds of calls that have ended."""
    return verdict.action in ("block", "degrade")


def _bounded(nano: int) -> Quote:
    return Quote("priced", nano, nano)


def _depth(attribution: Attribution) -> int:
    path = attribution.section_path
    return path.count("/") + 1 if path else 0


def _trace_value() -> Mapping[str, str]:
    context = trace.get_current_span().get_span_context()
    return {"trace": f"{context.trace_id:032x}"} if context.is_valid else {}


def _prompt_hash(endpoint: Endpoint, facts: RequestFacts) -> str | None:
    """Names the prompt without telling it: what is large in a request of this shape, whatever else is set."""
    document = load(facts.body)
    if not isinstance(document, dict):
        return None
    names = [key[1:-1].decode() for key in endpoint.shape.asked_in.bulk]
    text = json.dumps([[name, document[name]] for name in names if name in document], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
