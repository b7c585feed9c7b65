"""The path of a call where there are budgets: they are asked before it is sent, and may refuse or rewrite it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

from llmcost.control import ALLOWED, Verdict
from llmcost.errors import BudgetExceeded
from llmcost.exchange.adapter import ClientAdapter
from llmcost.exchange.admission import Gate
from llmcost.exchange.asking import Asking
from llmcost.exchange.engine import Engine
from llmcost.exchange.guard import guard
from llmcost.exchange.open_call import OpenCall
from llmcost.exchange.refusal import STATUS, refusal_of, response_of
from llmcost.exchange.started import Started
from llmcost.providers.rewriting import signed, with_model

_ADMIT: Final = guard("flow.admit")
_REFUSE: Final = guard("flow.refuse")
Flow = Generator[Any, Any, Any]


class Sending(NamedTuple):
    """A request on its way: who sees it, who may stop it, and the client's objects."""

    engine: Engine
    gate: Gate
    adapter: ClientAdapter
    request: Any


Open = Callable[[Engine, ClientAdapter, Any, Started], Flow]
"""Begins the flow of a call that may be sent."""


def budgeted(sending: Sending, started: Started, opened: Open) -> Flow:
    """Ask the budgets, then send; a refused call is answered here, in its provider's own words, and never sent."""
    engine, gate, adapter, request = sending
    call_id = engine.new_id(started.at_ns)
    asking: Asking | None = None
    verdict = ALLOWED
    with _ADMIT:
        asking = gate.asking(call_id, started, rewritable=_rewritable(sending, started))
    if asking is not None:
        verdict = yield asking
    with _ADMIT:
        held = gate.held(call_id, started.request.model, verdict)
        if verdict.model is not None:
            started = _rewritten(sending, started, verdict.model)
        now = engine.clock.monotonic()
        held.waited = now - started.at
        started = started.admitted(held, now)
    if verdict.action == "block":
        return _refused(sending, started, verdict)
    return (yield from opened(engine, adapter, request, started))


def _rewritable(sending: Sending, started: Started) -> bool:
    """Whether another model can be put into the request. Asked only where a budget has one for it."""
    model = started.request.model
    if model is None or model not in sending.gate.fallbacks:
        return False
    target = sending.adapter.sent_target(sending.request)
    if signed(sending.adapter.headers(sending.request), target.partition("?")[2]):
        return False
    return with_model(started.endpoint, target, started.request.body, (model, model)) is not None


def _rewritten(sending: Sending, started: Started, model: str) -> Started:
    _, _, adapter, request = sending
    facts = started.request
    change = with_model(started.endpoint, adapter.sent_target(request), facts.body, (facts.model or "", model))
    if change is None:
        return started
    if change.body is not None:
        adapter.replace_body(request, change.body)
    if change.path is not None:
        adapter.replace_target(request, change.path)
    return started._replace(request=facts._replace(model=model, body=change.body or facts.body))


def _refused(sending: Sending, started: Started, verdict: Verdict) -> Any:
    """The answer to a refused call, recorded like any other. Raises only where no answer can be made."""
    engine, _, adapter, request = sending
    refusal = refusal_of(verdict, started.held.call_id if started.held is not None else "")
    response = None
    with _REFUSE:
        headers, body = response_of(started.endpoint, refusal)
        response = adapter.answer(request, STATUS, headers, body)
        call = OpenCall(engine, started)
        call.whole(STATUS, headers, body)
        call.finish("complete")
    if response is None:
        raise BudgetExceeded(refusal.message, refusal)
    return response
