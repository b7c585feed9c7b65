"""Every entry of the map, 12 mixes of usage each: the same cost as LiteLLM's own functions, to 1e-12.

Where LiteLLM does not follow its own map, the case is listed in ``litellm_faults.toml`` with the reason, and our cost
must equal what :func:`by_hand` reads from the entry's fields.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceSources

FAULTS: Final = Path(__file__).parents[2] / "fixtures" / "pricing" / "litellm_faults.toml"
TOLERANCE: Final = 1e-12
LOGS_IN: Final = frozenset({"github_copilot", "chatgpt"})
"""Providers for which LiteLLM's batch function starts a login over the network, and raises without one."""

MIXES: Final[Mapping[str, tuple[Usage, str | None]]] = {
    "plain": (Usage(1_000, 500), None),
    "cached": (Usage(10_000, 500, cache_read_tokens=8_000), None),
    "write_5m": (Usage(10_000, 500, cache_write_tokens=4_000), None),
    "write_1h": (Usage(10_000, 500, cache_write_tokens=4_000, cache_write_1h_tokens=4_000), None),
    "reasoning": (Usage(1_000, 2_000, reasoning_tokens=1_500), None),
    "audio": (Usage(1_000, 500, audio_input_tokens=400, audio_output_tokens=200), None),
    "image": (Usage(1_000, 1_500, image_input_tokens=400, image_output_tokens=1_200), None),
    "long": (Usage(300_000, 2_000), None),
    "long_cached": (Usage(300_000, 2_000, cache_read_tokens=250_000), None),
    "flex": (Usage(1_000, 500), "flex"),
    "priority": (Usage(1_000, 500), "priority"),
    "batch": (Usage(1_000, 500), "batch"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="litellm is not installed"),
]


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(PriceSources(fill=False))


@pytest.fixture(scope="module")
def litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm  # type: ignore[import-not-found,unused-ignore]

    if importlib.metadata.version("litellm") != "1.106.2":
        pytest.skip("the snapshot is of litellm 1.106.2, another release is installed")
    litellm.suppress_debug_info = True
    return litellm


@pytest.fixture(scope="module")
def faults() -> dict[tuple[str, str], str]:
    """Entry and mix of every known fault, with its reason."""
    listed = tomllib.loads(FAULTS.read_text(encoding="utf-8"))
    return {
        (entry, mix): fault["reason"]
        for fault in listed.values()
        for case in fault["cases"]
        for mix in case["mixes"]
        for entry in case["entries"]
    }


def theirs(litellm: Any, key: str, provider: str, mix: str) -> float | None:
    """LiteLLM's cost, or None where it raises."""
    usage, tier = MIXES[mix]
    name = key.removeprefix(f"{provider}/")
    if tier == "batch" and provider in LOGS_IN:
        return None
    try:
        if tier == "batch":
            parts = litellm.cost_calculator.batch_cost_calculator(
                usage=litellm_usage(litellm, usage), model=name, custom_llm_provider=provider
            )
        else:
            parts = litellm.cost_calculator.cost_per_token(
                model=name,
                custom_llm_provider=provider,
                usage_object=litellm_usage(litellm, usage),
                service_tier=tier,
            )
    except Exception:  # noqa: BLE001 - litellm raises plain exceptions for entries that it does not find
        return None
    return float(sum(parts))


def litellm_usage(litellm: Any, usage: Usage) -> Any:
    prompt: dict[str, Any] = {
        "cached_tokens": usage.cache_read_tokens,
        "audio_tokens": usage.audio_input_tokens,
        "image_tokens": usage.image_input_tokens,
    }
    if usage.cache_write_tokens:
        prompt["cache_creation_tokens"] = usage.cache_write_tokens
        prompt["cache_creation_token_details"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    return litellm.Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=prompt,
        completion_tokens_details={
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
            "image_tokens": usage.image_output_tokens,
        },
    )


def by_hand(entry: Mapping[str, Any], mix: str) -> float:
    """The plainest reading of an entry's fields for the mixes of the listed faults."""
    usage, tier = MIXES[mix]
    assert usage.input_tokens is not None
    assert usage.output_tokens is not None
    fields = {**entry, **(entry.get("tiered_pricing") or [{}])[0]}
    suffix = {"batch": "_batches", "priority": "_priority"}.get(tier or "", "")
    length = max((int(k.split("_above_")[1][:-8]) for k in fields if k.endswith("k_tokens")), default=10**9)
    above = f"_above_{length}k_tokens" if usage.input_tokens > length * 1_000 else ""

    def rate(name: str, fallback: float = 0.0) -> float:
        if suffix and name + suffix in fields:
            return float(fields[name + suffix])
        half = 2 if tier == "batch" else 1
        return float(fields.get(name + above, fields.get(name, fallback * half))) / half

    inp, out = rate("input_cost_per_token"), rate("output_cost_per_token")
    out = out or rate("output_cost_per_image_token")
    write = rate("cache_creation_input_token_cost", inp)
    hour = rate("cache_creation_input_token_cost_above_1hr", write)
    reads, writes, hours = usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    audio_in, audio_out = usage.audio_input_tokens, usage.audio_output_tokens
    image_in, image_out = usage.image_input_tokens, usage.image_output_tokens
    return (
        (usage.input_tokens - reads - writes - audio_in - image_in) * inp
        + reads * rate("cache_read_input_token_cost", inp)
        + (writes - hours) * write
        + hours * hour
        + audio_in * rate("input_cost_per_audio_token", inp)
        + image_in * rate("input_cost_per_image_token", inp)
        + (usage.output_tokens - usage.reasoning_tokens - audio_out - image_out) * out
        + usage.reasoning_tokens * rate("output_cost_per_reasoning_token", out)
        + audio_out * rate("output_cost_per_audio_token", out)
        + image_out * rate("output_cost_per_image_token", out)
        + float(fields.get("input_cost_per_request", 0.0))
    )


def cases(book: PriceBook) -> Iterator[tuple[str, str, float | None]]:
    for key, entry in book.map.models.items():
        for mix, (usage, tier) in MIXES.items():
            yield key, mix, book.price(key, usage, provider=entry["litellm_provider"], service_tier=tier).total


def test_every_entry_and_mix_equals_litellm_or_is_a_listed_fault(
    book: PriceBook, litellm: Any, faults: dict[tuple[str, str], str]
) -> None:
    wrong: list[tuple[Any, ...]] = []
    stale, equal = [], 0
    for key, mix, ours in cases(book):
        entry = book.map.models[key]
        other = theirs(litellm, key, entry["litellm_provider"], mix)
        same = other is not None and abs((ours or 0.0) - other) <= TOLERANCE
        if (key, mix) in faults:
            if same:
                stale.append((key, mix))
            if ours is None or abs(ours - by_hand(entry, mix)) > TOLERANCE:
                wrong.append((key, mix, ours, by_hand(entry, mix), faults[key, mix]))
        elif ours is None:
            # No rate for any class of this usage: unknown for us, and nothing that LiteLLM could bill either.
            if other or by_hand(entry, mix):
                wrong.append((key, mix, ours, other, "unpriced"))
        elif same:
            equal += 1
        else:
            wrong.append((key, mix, ours, other, "differs"))
    assert wrong == [], len(wrong)
    assert stale == []
    assert equal > 40_000


def test_every_entry_is_found_under_its_own_name_and_provider(book: PriceBook) -> None:
    for key, entry in book.map.models.items():
        cost = book.price(key, Usage(1, 1), provider=entry["litellm_provider"])
        assert cost.price_key == key
        assert book.price(key, Usage(1, 1)).price_key == key
