"""A cost that the provider states in its response (OpenRouter, xAI, Perplexity). It is what is billed, so it wins."""

from __future__ import annotations

import math
from typing import Any

from llmcost.calls import Cost


def stated(value: Any, price_key: str | None = None) -> Cost | None:
    """The cost that a response states, or None where it is no amount of money.

    The split into prompt and completion is not stated; the whole stands under completion, so that the sums hold.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    amount = float(value)
    return Cost("priced", amount, 0.0, amount, 0.0, price_key, "provider")
