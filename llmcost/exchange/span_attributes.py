"""What is written on the span of a call: at its start for samplers, and at its end."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from llmcost import semconv
from llmcost.attributes import add_measured, attribution_attributes, told_attributes
from llmcost.calls import Attribution, Call
from llmcost.exchange.started import Started

_MOST_KEPT: Final = 1024
_kept: Final[dict[tuple[Any, ...], tuple[Attribution, dict[str, Any]]]] = {}
"""What calls of one kind have in common, by all that decides it."""
_TOLD: Final = attrgetter(
    "operation", "response_model", "finish_reasons", "service_tier", "run_id", "usage_estimated", "counted_by"
)
_PRICE: Final = attrgetter("status", "price_key", "price_source", "price_date", "note")
_ASKED: Final = slice(1, 7)
"""The part of :class:`~llmcost.providers.RequestFacts` from ``stream`` to ``service_tier``."""


def for_samplers(started: Started) -> dict[str, Any]:
    """What is there when the span is made, as the conventions ask for the sake of samplers."""
    endpoint, (model, *_), host, port, attribution, *_ = started
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: endpoint.operation,
        semconv.PROVIDER_NAME: endpoint.provider,
        semconv.SERVER_ADDRESS: host,
        semconv.SEMANTIC_LABEL: attribution.label,
    }
    if port is not None:
        attributes[semconv.SERVER_PORT] = port
    if model is not None:
        attributes[semconv.REQUEST_MODEL] = model
    return attributes


def at_end(started: Started, call: Call) -> dict[str, Any]:
    """All else: call site and context, what was asked for, what was answered, what it cost.

    A program makes many calls of few kinds. What those of a kind have in common is put together once.
    """
    attribution = started.attribution
    kind = (id(attribution), started.request[_ASKED], _TOLD(call), _PRICE(call.cost))
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
    for name, value in (
        (semconv.REQUEST_MAX_TOKENS, request.max_tokens),
        (semconv.REQUEST_TEMPERATURE, request.temperature),
        (semconv.REQUEST_TOP_P, request.top_p),
        (semconv.REQUEST_SERVICE_TIER, request.service_tier),
    ):
        if value is not None:
            attributes[name] = value
    return attributes
