"""From names, as programs and providers write them, to keys of the map."""

from __future__ import annotations

import pytest

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceRequest, PriceSources

BOOK = PriceBook(PriceSources(fill=False))


@pytest.mark.parametrize(
    ("provider", "response", "asked", "key"),
    [
        ("openai", "gpt-5-mini-2025-08-07", "gpt-5-mini", "gpt-5-mini-2025-08-07"),
        ("openai", "gpt-3.5-turbo-0301", "gpt-3.5-turbo", "gpt-3.5-turbo"),
        ("openai", "gpt-5-mini-2031-01-01", None, "gpt-5-mini"),
        ("openai", "openai/gpt-5-mini", None, "gpt-5-mini"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::Ab1", None, "ft:gpt-4o-mini-2024-07-18"),
        ("openai", "gpt-3.5-turbo-instruct", None, "gpt-3.5-turbo-instruct"),
        ("azure.ai.openai", "gpt-4o-2024-11-20", "my-deployment", "azure/gpt-4o-2024-11-20"),
        ("az.ai.openai", "gpt-4o", None, "azure/gpt-4o"),
        ("gcp.gemini", None, "models/gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.0-flash", None, "vertex_ai/gemini-2.0-flash"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", None, "vertex_ai/claude-sonnet-4-5@20250929"),
        ("aws.bedrock", "openai.gpt-oss-20b", None, "bedrock_mantle/openai.gpt-oss-20b"),
        ("mistral_ai", "mistral-small-latest", None, "mistral/mistral-small-latest"),
        ("x_ai", "grok-4.3", None, "xai/grok-4.3"),
        (None, "gpt-5-mini", None, "gpt-5-mini"),
        (None, "openai/gpt-5-mini", None, "gpt-5-mini"),
        # Another provider's entry, a longer or a shorter name is never taken.
        ("groq", "gpt-5-mini", None, None),
        ("openai", "gpt-5-mini-turbo", None, None),
        ("openai", "gpt", None, None),
        ("openrouter", "openai/gpt-4o-mini", None, None),
        ("unheard-of", "gpt-5-mini", None, None),
        (None, "no-such-model", None, None),
        ("openai", None, None, None),
    ],
)
def test_the_entry_of_a_name(provider: str | None, response: str | None, asked: str | None, key: str | None) -> None:
    price = BOOK.find(PriceRequest(provider, response, asked))
    assert (price.key if price else None) == key


def test_an_inference_profile_is_the_model_that_its_arn_names() -> None:
    arn = "arn:aws:bedrock:us-east-1:012345678901:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
    price = BOOK.find(PriceRequest("aws.bedrock", None, arn))
    assert price is not None
    assert price.key == "us.anthropic.claude-3-7-sonnet-20250219-v1:0"


@pytest.mark.parametrize(
    ("provider", "model", "region", "ratio"),
    [
        ("openai", "gpt-6-astra", "eu", 1.1),
        ("openai", "gpt-6-astra", "global", 1.0),
        ("gcp.vertex_ai", "gemini-3.5-flash", "us-east5", 1.1),
        ("gcp.vertex_ai", "gemini-3.5-flash", "global", 1.0),
        ("anthropic", "claude-sonnet-5", "us", 1.1),
        ("anthropic", "claude-sonnet-5", "not_available", 1.0),
    ],
)
def test_regional_uplifts(provider: str, model: str, region: str, ratio: float) -> None:
    usage = Usage(1_000, 100, cache_read_tokens=500)
    at_home = BOOK.price(model, usage, provider=provider).total
    abroad = BOOK.price(model, usage, provider=provider, region=region).total
    assert at_home
    assert abroad == pytest.approx(at_home * ratio, rel=1e-12)


def test_a_fast_mode_of_the_providers_own_multiplies_all_rates() -> None:
    entry = BOOK.map.models["claude-opus-5"]["provider_specific_entry"]
    usage = Usage(1_000, 100)
    plain = BOOK.price("claude-opus-5", usage, provider="anthropic").total
    fast = BOOK.price("claude-opus-5", usage, provider="anthropic", service_tier="fast").total
    assert plain
    assert fast == pytest.approx(plain * entry.get("fast", 1.0), rel=1e-12)
