"""The step of the flow between attribution and send: a call is put before the budgets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from opentelemetry import trace

from llmcost.calls import Attribution, call_type_of
from llmcost.control import ALLOWED, UNPRICED, Admission, Controller, Quote, Verdict
from llmcost.exchange.asking import Asking
from llmcost.exchange.held import Books, Held
from llmcost.exchange.quoting import Quotes
from llmcost.exchange.started import Started
from llmcost.pricing import PriceBook
from llmcost.providers import Endpoint, RequestFacts, scan

_MOST_KEPT: Final = 1_024
_CONTEXT_SCOPES: Final = (
    ("user", "user_id"),
    ("session", "session_id"),
    ("conversation", "conversation_id"),
    ("workflow", "workflow"),
    ("agent", "agent"),
)

T = TypeVar("T")
DecisionCounts = Counter[tuple[str, str, str]]
"""How often each budget said what: by its name, its action, and what it would have done in mode ``block``."""


class Gate:
    """Puts calls before the budgets and counts what these say.

    Args:
        controller: the budgets.
        prices: what a call may cost is quoted by it.
        run_id: id of this run of the program; without one, this process is the run.
    """

    def __init__(self, controller: Controller, prices: PriceBook, run_id: str | None = None) -> None:
        budgets = controller.budgets
        self.controller = controller
        self.books = Books(controller)
        self.decisions: DecisionCounts = Counter()
        self.fallbacks = frozenset(model for budget in budgets for model in budget.fallbacks)
        self._run_id = run_id or uuid.uuid4().hex
        self._quotes = Quotes(prices, strict=any(budget.bound == "strict" for budget in budgets))
        limits = [each for budget in budgets for each in (budget, *budget.overrides.values())]
        self._hashes = any(each.max_repeats is not None for each in limits)
        self._traces = any(budget.scope == "trace" for budget in budgets)
        self._values: dict[int, tuple[Attribution, Endpoint, Mapping[str, str]]] = {}

    def asking(self, call_id: str, started: Started, *, rewritable: bool) -> Asking:
        """The question that a call puts.

        Args:
            call_id: the call's id.
            started: what is known of it.
            rewritable: whether another model can be put into its request.
        """
        self.books.settler.start()
        endpoint, facts, attribution = started.endpoint, started.request, started.attribution
        at = started.at_ns / 1e9
        path = attribution.section_path
        admission = Admission(
            call_id,
            at,
            facts.model or "",
            self._values_of(attribution, endpoint),
            self._quotes.of(endpoint, facts, facts.model, at) if facts.model else UNPRICED,
            self._quote_for(endpoint, facts, at) if facts.model in self.fallbacks else None,
            path.count("/") + 1 if path else 0,
            _prompt_hash(endpoint, facts) if self._hashes else None,
            rewritable,
        )
        return Asking(admission, self.ask, self.ask_async, ALLOWED)

    def _quote_for(self, endpoint: Endpoint, facts: RequestFacts, at: float) -> Callable[[str], Quote]:
        return lambda model: self._quotes.of(endpoint, facts, model, at)

    def held(self, call_id: str, started: Started, verdict: Verdict) -> Held:
        """The call as the budgets let it pass, or did not."""
        for decision in verdict.decisions:
            self.decisions[decision.budget, decision.action, decision.would] += 1
        self.books.tell(verdict.warnings)
        return Held(self.books, call_id, verdict, started.request.model if verdict.model is not None else None)

    def ask(self, admission: Admission) -> Verdict:
        """Ask in this thread. What this process has spent but not booked yet refuses no call of its own."""
        verdict = self.controller.admit(admission)
        if self._too_early(verdict) and self.books.settler.flush():
            return self._again(verdict, self.controller.admit(admission))
        return verdict

    async def ask_async(self, admission: Admission) -> Verdict:
        """Ask in an event loop. A program that gives up meanwhile leaves no hold behind."""
        if not self.controller.waits:
            return self.controller.admit(admission)
        verdict = await self._waited(admission)
        if self._too_early(verdict) and await in_thread(self.books.settler.flush):
            return self._again(verdict, await self._waited(admission))
        return verdict

    def _too_early(self, verdict: Verdict) -> bool:
        if verdict.action not in ("block", "degrade") or not self.books.settler.waiting:
            return False
        if verdict.reservation is not None:
            self.controller.release(verdict)
        return True

    def _again(self, first: Verdict, second: Verdict) -> Verdict:
        return second._replace(warnings=(*first.warnings, *second.warnings)) if first.warnings else second

    async def _waited(self, admission: Admission) -> Verdict:
        if not _under_asyncio():
            return await in_thread(self.controller.admit, admission)
        task = asyncio.ensure_future(self.controller.admit_async(admission))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._nobody_waits)
            raise

    def _nobody_waits(self, task: asyncio.Future[Verdict]) -> None:
        if not task.cancelled() and task.exception() is None:
            verdict = task.result()
            self.books.settler.do(lambda: self.controller.release(verdict))

    def close(self) -> None:
        """Book what waits, return leases, let go of connections."""
        self.books.settler.close()
        self.controller.close()

    def _values_of(self, attribution: Attribution, endpoint: Endpoint) -> Mapping[str, str]:
        """The values of the scopes; kept by attribution, which the next call from the same place shares."""
        known = self._values.get(id(attribution))
        if known is None or known[0] is not attribution or known[1] is not endpoint:
            if len(self._values) >= _MOST_KEPT:
                self._values.clear()
            known = attribution, endpoint, self._made(attribution, endpoint)
            self._values[id(attribution)] = known
        return {**known[2], **_trace_value()} if self._traces else known[2]

    def _made(self, attribution: Attribution, endpoint: Endpoint) -> Mapping[str, str]:
        values = {"run": self._run_id, **attribution.context}
        values["label"] = attribution.label
        values["provider"] = endpoint.provider
        values["call_type"] = attribution.call_type or call_type_of(attribution.label, endpoint.operation)
        for scope, name in _CONTEXT_SCOPES:
            value = getattr(attribution, name)
            if value is not None:
                values[scope] = value
        return values


def _trace_value() -> Mapping[str, str]:
    context = trace.get_current_span().get_span_context()
    return {"trace": f"{context.trace_id:032x}"} if context.is_valid else {}


def _prompt_hash(endpoint: Endpoint, facts: RequestFacts) -> str | None:
    """Names the prompt without telling it: what is large in a request of this shape, whatever else is set."""
    document = scan.load(facts.body)
    if not isinstance(document, dict):
        return None
    names = [key[1:-1].decode() for key in endpoint.shape.request_bulk]
    text = json.dumps([[name, document[name]] for name in names if name in document], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _under_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a function that blocks in a thread, under asyncio or trio. A cancelled trio task waits for its end."""
    if _under_asyncio():
        return await asyncio.to_thread(function, *arguments)
    import anyio.to_thread  # what httpx uses under trio as well

    return await anyio.to_thread.run_sync(function, *arguments)
