"""Peers' names for a cost, written beside ours on request; one row a backend."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from llmcost.calls import Call


def _openlit(call: Call) -> dict[str, Any]:
    return {"gen_ai.usage.cost": call.cost.total}


def _logfire(call: Call) -> dict[str, Any]:
    return {"operation.cost": call.cost.total}


def _langfuse(call: Call) -> dict[str, Any]:
    cost = call.cost
    details = {"total": cost.total, "input": cost.prompt or 0.0, "output": cost.completion or 0.0}
    if cost.fees:
        details["fees"] = cost.fees
    return {"langfuse.observation.cost_details": json.dumps(details)}


def _otel_draft(call: Call) -> dict[str, Any]:
    source = "provider" if call.cost.price_source == "provider" else "local"
    return {
        "gen_ai.usage.cost.amount": call.cost.total,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": source,
    }


PROFILES: Final[Mapping[str, Callable[[Call], dict[str, Any]]]] = {
    "openlit": _openlit,
    "logfire": _logfire,
    "langfuse": _langfuse,
    "otel-draft": _otel_draft,
}


def profile_attributes(call: Call, profiles: Iterable[str]) -> dict[str, Any]:
    """The attributes of the named profiles. A call without a cost has none: unknown is not zero."""
    out: dict[str, Any] = {}
    if call.cost.total is not None:
        for name in profiles:
            out.update(PROFILES[name](call))
    return out
