"""Whose money a call spends: the value of each scope that a budget may have."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Final

from llmcost.calls import Attribution, Call, call_type_of

_FROM_CONTEXT: Final = (
    ("user", "user_id"),
    ("session", "session_id"),
    ("conversation", "conversation_id"),
    ("workflow", "workflow"),
    ("agent", "agent"),
)

_SCOPES: Final = tuple(scope for scope, _ in _FROM_CONTEXT)
_given: Final = attrgetter(*(name for _, name in _FROM_CONTEXT))

SPELLINGS: Final = {name: scope for scope, name in _FROM_CONTEXT} | {"workflow_id": "workflow"}
"""What ``llmcost.context`` calls a scope that budgets call otherwise."""


def asker_of(attribution: Attribution) -> dict[str, str]:
    """The values that are known before there is a request: label, who it is for, and every context key."""
    values = {**attribution.context, "label": attribution.label}
    for scope, value in zip(_SCOPES, _given(attribution), strict=True):
        if value is not None:
            values[scope] = value
    return values


def values_of(attribution: Attribution, provider: str, operation: str) -> dict[str, str]:
    """The values that do not depend on the single call; run, trace and model come on top.

    Args:
        attribution: of the call.
        provider: its name.
        operation: decides the type of call where the program gave none.
    """
    values = asker_of(attribution)
    values["provider"] = provider
    values["call_type"] = attribution.call_type or call_type_of(attribution.label, operation)
    return values


def values_of_call(call: Call) -> Mapping[str, str]:
    """The values of a call of the past."""
    values = values_of(call.attribution, call.provider, call.operation)
    for scope, value in (("run", call.run_id), ("trace", call.trace_id)):
        if value is not None:
            values[scope] = value
    return values
