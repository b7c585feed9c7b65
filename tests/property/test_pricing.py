"""Whatever a response claims to have used, the sums of its cost hold and nothing raises."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceRequest, PriceSources, stated

BOOK: Final = PriceBook(PriceSources(fill=False))
KEYS: Final = sorted(BOOK.map.models)
COUNTS: Final[dict[str, st.SearchStrategy[Any]]] = {
    each.name: st.integers(0, 10**7) for each in fields(Usage) if each.type in ("int", "float", "int | None")
}
TEXTS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "image_size": st.sampled_from([None, "1024x1024", "1K", "auto", ""]),
    "image_quality": st.sampled_from([None, "high", "hd", "auto"]),
    "video_resolution": st.sampled_from([None, "720p", "4K"]),
    "search_context": st.sampled_from([None, "low", "high", "huge"]),
}
USAGES: Final = st.fixed_dictionaries({}, optional={**COUNTS, **TEXTS}).map(lambda used: Usage(**used))
TIERS: Final = st.sampled_from([None, "flex", "priority", "batch", "fast", "auto", "unheard-of"])
REGIONS: Final = st.sampled_from([None, "eu", "us", "global", "us-east5", "eu-west-1"])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(KEYS), USAGES, TIERS, REGIONS)
def test_the_parts_of_a_cost_add_up(key: str, usage: Usage, tier: str | None, region: str | None) -> None:
    provider = BOOK.map.models[key]["litellm_provider"]
    request = PriceRequest(provider, key, key, tier, region)
    cost = BOOK.price_call(request, usage)
    if cost.total is None:
        assert cost.status in ("unpriced", "partial")
        assert cost.prompt is None
        return
    assert cost.prompt is not None
    assert cost.completion is not None
    assert cost.fees is not None
    assert math.isfinite(cost.total)
    assert min(cost.prompt, cost.completion, cost.fees) >= 0
    assert math.isclose(cost.prompt + cost.completion + cost.fees, cost.total, rel_tol=1e-12)
    assert math.isclose(sum(cost.prompt_details.values()), cost.prompt, rel_tol=1e-12)
    assert math.isclose(sum(cost.completion_details.values()), cost.completion, rel_tol=1e-12)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), USAGES, TIERS, REGIONS)
def test_a_receipt_gives_the_same_cost_line_by_line(
    key: str, usage: Usage, tier: str | None, region: str | None
) -> None:
    request = PriceRequest(BOOK.map.models[key]["litellm_provider"], key, key, tier, region)
    cost, receipt = BOOK.price_call(request, usage), BOOK.explain(request, usage)
    assert receipt.cost == cost
    if cost.total is not None:
        amounts = [line.amount for line in receipt.lines if line.amount is not None]
        assert math.isclose(sum(amounts), cost.total, rel_tol=1e-12, abs_tol=1e-15)
    assert all(line.usd is None or line.field for line in receipt.lines)


@settings(max_examples=200, deadline=None)
@given(USAGES)
def test_tokens_fall_into_classes_that_add_up_to_the_totals(usage: Usage) -> None:
    from llmcost.pricing.formula import split
    from llmcost.pricing.rates import CLASSES

    sides = {"prompt": 0, "completion": 0}
    for name, count in split(usage):
        assert count >= 0
        sides[CLASSES[name].side] += count
    assert sides["prompt"] == (usage.input_tokens or 0) + usage.citation_tokens
    assert sides["completion"] == (usage.output_tokens or 0)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.text(max_size=20) | st.none(), st.text(max_size=10) | st.none())
def test_no_name_raises_or_gets_another_models_price(name: str, provider: str | None, tier: str | None) -> None:
    cost = BOOK.price(name, Usage(1, 1), provider=provider, service_tier=tier)
    assert cost.price_key is None or cost.price_key in BOOK.map.models


@given(st.one_of(st.none(), st.text(), st.booleans(), st.floats(), st.integers(), st.lists(st.integers())))
def test_only_an_amount_of_money_is_a_stated_cost(value: object) -> None:
    cost = stated(value)
    if cost is not None:
        assert not isinstance(value, bool)
        assert isinstance(value, int | float)
        assert cost.total == float(value)
        assert (cost.total or 0) >= 0
        assert asdict(cost)["price_source"] == "provider"
