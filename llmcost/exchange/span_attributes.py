"""What is written on the span of a call: at its start for samplers, and at its end."""

from __future__ import annotations

from typing import Any, Final

from llmcost import semconv
from llmcost.attributes import (
    TOLD_OF_CALL,
    TOLD_OF_COST,
    add_given,
    add_measured,
    attribution_attributes,
    told_attributes,
)
from llmcost.calls import Attribution, Call
from llmcost.exchange.started import Started
from llmcost.providers import RequestFacts

_MOST_KEPT: Final = 1024
_kept: Final[dict[tuple[Any, ...], tuple[Attribution, dict[str, Any]]]] = {}
"""What calls of one kind have in common, by all that decides it."""
_ASKED: Final = slice(RequestFacts._fields.index("stream"), RequestFacts._fields.index("service_tier") + 1)
"""The part of a request's facts in which all stands that the span tells of them."""


def for_samplers(started: Started) -> dict[str, Any]:
    """What is there when the span is made, as the conventions ask for the sake of samplers."""
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: started.endpoint.operation,
        semconv.PROVIDER_NAME: started.endpoint.provider,
        semconv.SERVER_ADDRESS: started.host,
        semconv.SEMANTIC_LABEL: started.attribution.label,
    }
    add_given(attributes, ((semconv.SERVER_PORT, started.port), (semconv.REQUEST_MODEL, started.request.model)))
    return attributes


def at_end(started: Started, call: Call) -> dict[str, Any]:
    """All else: call site and context, what was asked for, what was answered, what it cost.

    A program makes many calls of few kinds. What those of a kind have in common is put together once.
    """
    attribution = started.attribution
    kind = (id(attribution), started.request[_ASKED], TOLD_OF_CALL(call), TOLD_OF_COST(call.cost))
    kept = _kept.get(kind)
    if kept is None or kept[0] is not attribution:
        kept = attribution, _in_common(started, call)
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[kind] = kept
    attributes = kept[1].copy()
    add_measured(attributes, call)
    if started.held is not None:
        attributes.update(started.held.attributes())
    return attributes


def _in_common(started: Started, call: Call) -> dict[str, Any]:
    request = started.request
    attributes = {**attribution_attributes(started.attribution), **told_attributes(call)}
    if request.stream:
        attributes[semconv.REQUEST_STREAM] = True
    rows = (
        (semconv.REQUEST_MAX_TOKENS, request.max_tokens),
        (semconv.REQUEST_TEMPERATURE, request.temperature),
        (semconv.REQUEST_TOP_P, request.top_p),
        (semconv.REQUEST_SERVICE_TIER, request.service_tier),
    )
    add_given(attributes, rows)
    return attributes
