"""Recorded traffic of every provider: the usage and names of its gold, priced, against the gold's cost."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from llmcost.calls import Cost, Usage
from llmcost.pricing import PriceBook, PriceRequest, PriceSources, billed_tier

SHARED: Final = Path(os.environ.get("LLMCOST_SHARED", Path(__file__).resolve().parents[4] / "shared"))
EXCHANGES: Final = SHARED / "data" / "exchanges"
PEAK: Final = datetime(2026, 10, 21, 2, 0, tzinfo=UTC)
"""A moment when no off-peak price holds: the gold has the standard rates."""

OUR_VIEW: Final = {
    "models/gemini-2.5-pro": "the gold takes the models/ path for a part of the name; it is Google's resource prefix",
    "x7fc2d4bfabbf": "118 cached tokens are audio; the entry lists cached audio at 1e-07, the gold took 3e-08",
    "x8bf0815bc501": "284 cached tokens are audio; the entry lists cached audio at 1e-07, the gold took 3e-08",
}
"""Where the gold and the map's own fields part, and we follow the map."""
_FIELDS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_creation": "cache_write_tokens",
    "cache_creation_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
    "audio_input": "audio_input_tokens",
    "audio_output": "audio_output_tokens",
    "image_input": "image_input_tokens",
    "image_output": "image_output_tokens",
    "video_input": "video_input_tokens",
    "_cached_audio": "audio_cache_read_tokens",
    "_cached_image": "image_cache_read_tokens",
    "_cached_video": "video_cache_read_tokens",
}

pytestmark = pytest.mark.skipif(not EXCHANGES.is_dir(), reason=f"no recorded exchanges at {EXCHANGES}")


def golds(*statuses: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(EXCHANGES.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                exchange = json.loads(line)
                if (exchange["gold"].get("cost") or {}).get("status") in statuses:
                    yield exchange["id"], exchange["gold"]


def usage_of(gold: dict[str, Any], counts: dict[str, Any]) -> Usage:
    given = {**counts, **gold["extra"].get("hidden", {})}
    known = {_FIELDS[name]: value for name, value in given.items() if name in _FIELDS}
    return Usage(**{"output_tokens": 0, **known, "web_searches": gold["server_tools"].get("web_search", 0)})


def priced(book: PriceBook, gold: dict[str, Any], usage: Usage, model: str | None = None) -> Cost:
    tier = billed_tier(gold["service_tier"], gold["requested_service_tier"])
    region = gold["extra"].get("inference_geo") or gold["extra"].get("location")
    request = PriceRequest(gold["provider"], model or gold["response_model"], gold["request_model"], tier, region)
    return book.price_call(request, usage, at=PEAK)


def total(book: PriceBook, gold: dict[str, Any]) -> float:
    """The cost; one response may bill several models (``iterations``)."""
    parts = gold["extra"].get("iterations")
    costs = (
        [priced(book, gold, usage_of(gold, part["usage"]), part["model"]) for part in parts]
        if parts
        else [priced(book, gold, usage_of(gold, gold["usage"]))]
    )
    assert all(cost.total is not None for cost in costs)
    return sum(cost.total or 0.0 for cost in costs)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(PriceSources(fill=False))


def test_priced_exchanges_cost_what_the_gold_says(book: PriceBook) -> None:
    wrong, seen = {}, 0
    for name, gold in golds("priced"):
        seen += 1
        got, cost = total(book, gold), gold["cost"]
        right = [value for value in (cost["usd"], *(each["usd"] for each in cost["alternatives"])) if value is not None]
        if name not in OUR_VIEW and all(got != pytest.approx(value, rel=1e-9, abs=1e-12) for value in right):
            wrong[name] = (gold["provider"], gold["response_model"], got, cost)
    assert seen > 0
    assert wrong == {}


def test_the_entry_is_the_one_the_gold_names(book: PriceBook) -> None:
    for name, gold in golds("priced"):
        cost = priced(book, gold, usage_of(gold, gold["usage"]))
        key, wanted = cost.price_key or "", gold["cost"]["litellm_key"]
        mine, theirs = book.map.models[key], book.map.models[wanted]
        assert mine.get("input_cost_per_token") == theirs.get("input_cost_per_token"), (name, key, wanted)


def test_models_that_the_map_does_not_have_are_unpriced(book: PriceBook) -> None:
    wrong, seen = [], 0
    for name, gold in golds("unpriced"):
        seen += 1
        cost = priced(book, gold, usage_of(gold, gold["usage"]))
        if (cost.status, cost.total) != ("unpriced", None) and gold["response_model"] not in OUR_VIEW:
            wrong.append((name, gold["provider"], gold["response_model"], cost))
    assert seen > 0
    assert wrong == []
