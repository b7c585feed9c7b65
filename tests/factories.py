"""Calls made by hand for tests and benches: deterministic, typed, no clock and no random source of the machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from llmcost.calls import Attribution, Call, CallSite, Cost, Usage

START_NS: Final = 1_794_787_200 * 10**9
"""2026-11-16 00:00:00 UTC."""
QUARTER_NS: Final = 900 * 10**9

LABELS: Final = ("summarization", "chat-bot", "research", "classification", "rag-answer", "extraction", "translation")
MODELS: Final = (
    ("gpt-5-mini", "openai", 0.25e-6, 2e-6),
    ("claude-sonnet-4-5", "anthropic", 3e-6, 15e-6),
    ("text-embedding-3-small", "openai", 0.02e-6, 0.0),
    ("mistral-small-latest", "mistral_ai", 0.1e-6, 0.3e-6),
)


def a_cost(usd: float | None) -> Cost:
    """A cost as the price book makes it; None is a model without a price."""
    if usd is None:
        return Cost("unpriced")
    return Cost("priced", usd, usd / 4, usd * 3 / 4, 0.0, "gpt-5-mini", "litellm", "2026-11-01")


def a_call(number: int = 1, *, label: str = "summarization", cost: Cost | float | None = 0.001, **changes: Any) -> Call:
    """A complete chat call; any field of the record can be changed by name, and ``cost`` given in USD."""
    call = Call(
        id=f"{number:032x}",
        started_ns=START_NS + number * 10**9,
        duration=0.8,
        operation="chat",
        provider="openai",
        request_model="gpt-5-mini",
        response_model="gpt-5-mini-2025-08-07",
        usage=Usage(input_tokens=1200, output_tokens=160, cache_read_tokens=200),
        cost=cost if isinstance(cost, Cost) else a_cost(cost),
        attribution=Attribution(
            label=label, label_source="map", site=CallSite("summarize_article", "agents/summarizer.py", 41)
        ),
        response_id=f"chatcmpl-{number}",
        finish_reasons=("stop",),
        status_code=200,
        server_address="api.openai.com",
        server_port=443,
        run_id="run-1",
    )
    return replace(call, **changes)


def many_calls(count: int, *, days: float = 90.0, users: int = 20_000, seed: int = 7) -> Iterator[Call]:
    """Calls of a busy program, spread evenly over ``days`` from :data:`START_NS` on: sections of different weight,
    four models, many users, one in fifty failed, one in a hundred unpriced."""
    source = random.Random(seed)
    step = int(days * 86_400 * 10**9 / max(count, 1))
    for number in range(count):
        label = LABELS[min(int(source.expovariate(0.6)), len(LABELS) - 1)]
        model, provider, rate_in, rate_out = MODELS[int(source.random() ** 2 * len(MODELS))]
        usage = Usage(int(source.lognormvariate(7, 1)), int(source.lognormvariate(5, 1)) if rate_out else 0)
        yield a_call(
            number,
            started_ns=START_NS + number * step,
            request_model=model,
            response_model=model,
            provider=provider,
            operation="chat" if rate_out else "embeddings",
            usage=usage,
            cost=_cost(source.random(), usage, rate_in, rate_out),
            error_type="500" if number % 50 == 0 else None,
            attribution=Attribution(
                label=label,
                label_source="map",
                site=CallSite(f"do_{label}", f"app/{label}.py", 10),
                user_id=f"user-{source.randrange(users)}",
            ),
        )


def _cost(draw: float, usage: Usage, rate_in: float, rate_out: float) -> float | None:
    if draw < 0.01:
        return None
    return (usage.input_tokens or 0) * rate_in + (usage.output_tokens or 0) * rate_out
