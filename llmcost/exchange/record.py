"""From what was read to the record: usage, its estimate where there is none, cost and status."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from llmcost.calls import COUNTED_ELSEWHERE, NO_USAGE, NOT_BILLED, BilledPart, Call, Cost, Outcome, Usage, make_call
from llmcost.errors import PriceMapError
from llmcost.exchange.engine import Engine
from llmcost.exchange.spans import CallSpan
from llmcost.exchange.started import Ended, Started
from llmcost.pricing import PriceRequest, billed_tier
from llmcost.providers import ResponseFacts
from llmcost.records import make_tuple

_NEVER_SENT: Final = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL", "ProxyError"}
)
"""Exceptions of the httpx family that are raised before a request has left the machine."""

_RUNNING: Final = frozenset({"queued", "in_progress"})
_ZEROS: Final = (Usage(0, 0), Usage(0))
"""What some hosts state that count nothing. It is no usage: an answer of no tokens at all does not exist."""
_CUT: Final = frozenset({"truncated", "closed", "cancelled", "failed", "collected"})


def build(engine: Engine, ended: Ended, facts: ResponseFacts, span: CallSpan) -> Call:
    """The frozen record of a call that has just ended."""
    outcome = _outcome(ended, facts)
    usage, cost, parts = _money(engine, ended, facts, outcome)
    estimated = usage is not facts.usage and usage is not NO_USAGE
    started, _, at, status, _, first_chunk, chunks, _ = ended
    endpoint, request, host, port, attribution, _, began_ns, began, held, _ = started
    values = (  # in the order of the record's fields: to match names takes longer than all else here
        engine.new_id(began_ns) if held is None else held.call_id,
        began_ns,
        at - began,
        endpoint.operation,
        endpoint.provider,
        request.model,
        usage,
        cost,
        attribution,
        outcome,
        facts.model,
        facts.id,
        facts.finish_reasons,
        request.stream,
        chunks,
        first_chunk - began if first_chunk is not None else None,
        status,
        facts.error_type or _error_type(ended),
        facts.error_code,
        facts.service_tier,
        request.service_tier,
        request.region,
        request.max_tokens,
        host,
        port,
        span.attempts,
        engine.options.run_id,
        not span.own,
        span.metered,
        estimated,
        *span.ids(),
        _counted_by(engine, started) if cost is COUNTED_ELSEWHERE else None,
        parts,
    )
    return make_call(*values) if held is None else make_call(*values, *held.said())


def in_background(facts: ResponseFacts) -> bool:
    """Whether the response is a promise: the work goes on at the provider, and a later poll brings its usage."""
    return facts.id is not None and facts.usage is None and facts.status in _RUNNING


def polled(engine: Engine, ended: Ended, waiting: Call, facts: ResponseFacts) -> Call | None:
    """The record of a background call whose poll has just answered; None while it still runs."""
    if facts.status in _RUNNING or (facts.usage is None and facts.error_type is None):
        return None
    usage, cost, parts = _money(engine, ended, facts, "complete")
    return replace(
        waiting,
        usage=usage,
        cost=cost,
        parts=parts,
        duration=engine.clock.monotonic() - ended.started.at,
        response_model=facts.model or waiting.response_model,
        finish_reasons=facts.finish_reasons,
        error_type=facts.error_type,
        error_code=facts.error_code,
        outcome="failed" if facts.error_type else "complete",
        service_tier=facts.service_tier or waiting.service_tier,
    )


def was_sent(ended: Ended) -> bool:
    """Whether the request left this machine."""
    return ended.status is not None or ended.error is None or type(ended.error).__name__ not in _NEVER_SENT


def _outcome(ended: Ended, facts: ResponseFacts) -> Outcome:
    """A stream that was left after its end is complete; one that ran out without its end is truncated."""
    by, status = ended.by, ended.status
    if by == "complete" and (facts.error_type or (status is not None and status >= 400)):
        return "failed"
    if by in ("closed", "collected", "complete") and status is not None:
        if facts.ended:
            return "complete"
        if by == "complete":
            return "truncated"
    return by  # type: ignore[return-value]


def _error_type(ended: Ended) -> str | None:
    status, error = ended.status, ended.error
    if error is not None:
        kind = type(error)
        return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return str(status) if status is not None and status >= 400 else None


def _money(
    engine: Engine, ended: Ended, facts: ResponseFacts, outcome: Outcome
) -> tuple[Usage, Cost, tuple[BilledPart, ...]]:
    usage = facts.usage
    started, _, _, status, _, _, _, measure = ended
    if not _billed(ended, facts):
        return usage or NO_USAGE, NOT_BILLED, ()
    if status is None:
        return NO_USAGE, Cost("partial", note="sent, but no answer came"), ()
    if _counted_by(engine, started) is not None:
        return usage or NO_USAGE, COUNTED_ELSEWHERE, ()
    if usage is None and facts.status in _RUNNING:
        return NO_USAGE, Cost("partial", note="runs in the background; a poll will bring its usage"), ()
    if (
        usage is not None
        and not (usage.input_tokens or usage.output_tokens)
        and usage in _ZEROS
        and outcome not in _CUT
    ):
        return usage, Cost("unpriced", note="the response states no tokens at all"), ()
    estimated = usage is None
    request = started.request
    if usage is None or outcome in _CUT:
        usage = engine.rates.estimate(request, facts)
    elif outcome == "complete" and measure is not None:
        engine.rates.learn(request, facts, measure)
    if usage is None and facts.provider_cost is None:
        return NO_USAGE, _without_usage(outcome), ()
    try:
        cost, parts = _priced(engine, started, facts, usage or NO_USAGE)
    except PriceMapError as error:  # the call is recorded all the same: unknown is not lost
        return usage or NO_USAGE, Cost("unpriced", note=str(error)), ()
    return usage or NO_USAGE, _status(cost, estimated, outcome), parts


def _counted_by(engine: Engine, started: Started) -> str | None:
    return engine.options.counted_by(started.host, started.port)


def _billed(ended: Ended, facts: ResponseFacts) -> bool:
    """Whether money was spent: not for refused or failed requests, nor for those that never left the machine."""
    status = ended.status
    if status is None:
        return was_sent(ended)
    if status >= 400:
        return False
    return not (facts.error_type and facts.usage is None and not facts.output_characters)


def _without_usage(outcome: Outcome) -> Cost:
    if outcome in _CUT:
        return Cost("partial", note="the stream was cut before its usage")
    return Cost("unpriced", note="the response states no usage")


def _priced(
    engine: Engine, started: Started, facts: ResponseFacts, usage: Usage
) -> tuple[Cost, tuple[BilledPart, ...]]:
    """The cost of a response; where it billed further models, the sum with their parts."""
    asked = started.request
    tier = billed_tier(facts.service_tier, asked.service_tier)
    request = make_tuple(PriceRequest, (started.endpoint.provider, facts.model, asked.model, tier, asked.region))
    price, at = engine.prices.price_call, started.at_ns / 1e9
    if not facts.parts:
        return price(request, usage, facts.provider_cost, at), ()
    parts = tuple(
        BilledPart(name, part, price(request._replace(response_model=name), part, None, at))
        for name, part in facts.parts
    )
    return _sum(price(request, facts.own_usage or usage, facts.provider_cost, at), parts), parts


def _sum(cost: Cost, parts: tuple[BilledPart, ...]) -> Cost:
    """The cost of all billed parts together; it is ``partial`` where one of them has no price."""
    for part in parts:
        if part.cost.total is None or cost.total is None:
            return replace(cost, status="partial", note=f"no price for {part.model}")
        cost = replace(
            cost,
            total=cost.total + part.cost.total,
            prompt=(cost.prompt or 0.0) + (part.cost.prompt or 0.0),
            completion=(cost.completion or 0.0) + (part.cost.completion or 0.0),
            fees=(cost.fees or 0.0) + (part.cost.fees or 0.0),
        )
    return cost


def _status(cost: Cost, estimated: bool, outcome: Outcome) -> Cost:
    """Say what is not exact: a cut stream is ``partial``, a usage counted from text ``estimated``."""
    if not cost.total:  # no price, or a price of zero, which holds for any number of tokens
        return cost
    if outcome in _CUT:
        note = "the stream was cut" + ("; tokens are estimated" if estimated else "")
        return replace(cost, status="partial", note=note)
    if estimated and cost.price_source != "provider":
        return replace(cost, status="estimated", note="tokens are estimated from the text")
    return cost
