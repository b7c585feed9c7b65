"""Public reports of wrong costs (field cases 1 to 6), each as an input and the cost it should have."""

from __future__ import annotations

import logging

import pytest

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceRequest, PriceSources, billed_tier, unpriced

BEDROCK = "aws.bedrock"
REGIONAL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/abc123"


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(PriceSources(fill=False))


def total(book: PriceBook, model: str, usage: Usage, provider: str, tier: str | None = None) -> float | None:
    return book.price(model, usage, provider=provider, service_tier=tier).total


def test_case_1a_cached_tokens_are_counted_once(book: PriceBook) -> None:
    usage = Usage(5 + 128_955 + 1_253, 100, cache_read_tokens=128_955, cache_write_tokens=1_253)
    assert total(book, "claude-sonnet-4-5-20250929", usage, "anthropic") == pytest.approx(0.04490025, abs=1e-12)


def test_case_1b_one_hour_writes_are_part_of_the_writes(book: PriceBook) -> None:
    usage = Usage(1_000_000, 0, cache_write_tokens=1_000_000, cache_write_1h_tokens=400_000)
    assert total(book, "claude-opus-4-8", usage, "anthropic") == pytest.approx(7.75, abs=1e-12)


def test_case_2_the_tier_goes_by_the_whole_prompt_and_covers_the_cache(book: PriceBook) -> None:
    usage = Usage(262_960, 1_744, cache_read_tokens=257_955)
    assert total(book, "gemini-2.5-pro", usage, "gcp.gemini") == pytest.approx(0.10316125, abs=1e-12)


def test_case_3_reasoning_is_part_of_the_output(book: PriceBook) -> None:
    cost = book.price("gpt-5.1", Usage(22_118, 1_970, reasoning_tokens=956), provider="openai")
    assert cost.total == pytest.approx(0.0473475, abs=1e-12)
    assert cost.completion == pytest.approx(sum(cost.completion_details.values()), abs=1e-15)
    assert set(cost.completion_details) == {"output", "reasoning"}


@pytest.mark.parametrize(
    ("served", "requested", "expected"),
    [
        ("default", "priority", 0.00625),
        ("flex", "flex", 0.003125),
        ("priority", "auto", 0.0125),
        (None, "priority", 0.0125),
        ("auto", "flex", 0.003125),
        (None, None, 0.00625),
    ],
)
def test_case_4_the_served_tier_decides(
    book: PriceBook, served: str | None, requested: str | None, expected: float
) -> None:
    tier = billed_tier(served, requested)
    assert total(book, "gpt-5", Usage(1_000, 500), "openai", tier) == pytest.approx(expected, abs=1e-12)


def test_case_5a_a_regional_profile_has_the_regional_price(book: PriceBook) -> None:
    assert total(book, REGIONAL, Usage(1_000, 200), BEDROCK) == pytest.approx(0.0066, abs=1e-12)


@pytest.mark.parametrize("name", [PROFILE, PROFILE.replace(":", "%3A").replace("/", "%2F")])
def test_case_5b_an_opaque_profile_is_unpriced_and_says_how_to_price_it(
    book: PriceBook, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = unpriced[BEDROCK, name]
    with caplog.at_level(logging.WARNING, "llmcost"):
        cost = book.price(name, Usage(1_000, 200), provider=BEDROCK)
        book.price(name, Usage(1_000, 200), provider=BEDROCK)
    assert (cost.status, cost.total) == ("unpriced", None)
    assert cost.note is not None
    assert name in cost.note
    assert "in llmcost.toml, [prices." in cost.note
    assert unpriced[BEDROCK, name] == before + 2
    assert len([record for record in caplog.records if name in record.getMessage()]) <= 1


@pytest.mark.parametrize(
    "sources",
    [
        PriceSources(rows={PROFILE: {"same_as": REGIONAL}}, fill=False),
        PriceSources(aliases={PROFILE: REGIONAL}, fill=False),
    ],
    ids=["row", "alias"],
)
def test_case_5c_a_row_for_the_arn_prices_it(sources: PriceSources) -> None:
    cost = PriceBook(sources).price_call(PriceRequest(BEDROCK, None, PROFILE), Usage(1_000, 200))
    assert cost.total == pytest.approx(0.0066, abs=1e-12)


def test_case_6a_a_stated_cost_wins(book: PriceBook) -> None:
    request = PriceRequest("openrouter", "openai/gpt-4o-mini", "openai/gpt-4o-mini")
    cost = book.price_call(request, Usage(5_156, 21), stated_cost=0.000786)
    assert (cost.total, cost.price_source, cost.status) == (0.000786, "provider", "priced")


@pytest.mark.parametrize("said", [None, "n/a", float("nan"), -1.0, True, {"total": 1}])
def test_case_6bc_without_a_stated_amount_no_other_models_price_is_taken(book: PriceBook, said: object) -> None:
    request = PriceRequest("openrouter", "openai/gpt-4o-mini", "openai/gpt-4o-mini")
    cost = book.price_call(request, Usage(5_156, 21), stated_cost=said)
    assert (cost.status, cost.total) == ("unpriced", None)
