"""What budgets said to a call, for its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from llmcost.calls import Quoted


class Said(NamedTuple):
    """What budgets said to a call, and what they were told: the last fields of a :class:`llmcost.calls.Call`, in their
    order."""

    budget_action: str = "allow"
    budget_name: str | None = None
    requested_model: str | None = None
    quotes: Mapping[str, Quoted] = {}
    prompt_hash: str | None = None
    budget_wait: float = 0.0
