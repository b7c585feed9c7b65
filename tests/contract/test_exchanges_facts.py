"""The registry and the reading against recorded traffic with gold: what a span about each exchange must say.

The judge mirrors the fields of ``replay.py`` that do not need prices. ``python -m tests.contract.test_exchanges_facts``
prints the scores by provider.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from llmcost.calls import Usage
from llmcost.exchange.reading import Reading
from llmcost.providers import Endpoint, RequestFacts, ResponseFacts, registry

SHARED = Path(os.environ.get("LLMCOST_SHARED", Path(__file__).parents[2] / ".." / "shared"))
FOLDER = SHARED / "data" / "exchanges"
LATER = frozenset({"aws_bedrock", "aws_sagemaker", "deepgram", "replicate"})
"""Providers of later issues."""
NO_OUTPUT = frozenset({"embeddings", "rerank", "moderation", "image_generation", "audio_transcription", "audio_speech"})
DEFINED = frozenset(
    {"openai", "gcp.vertex_ai", "gcp.gemini", "anthropic", "cohere", "azure.ai.inference", "azure.ai.openai"}
    | {"perplexity", "x_ai", "deepseek", "groq", "mistral_ai"}
)
STATES_COST = frozenset({"openrouter", "x_ai", "perplexity"})
TARGET = 0.998

Exchange = dict[str, Any]


def exchanges(name: str) -> list[Exchange]:
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8", errors="surrogatepass") as lines:
        return [json.loads(line) for line in lines]


def names() -> list[str]:
    found = (path.name.removesuffix(".jsonl.gz") for path in sorted(FOLDER.glob("*.jsonl.gz")))
    return [name for name in found if name not in LATER]


def body(part: dict[str, str]) -> bytes:
    if "base64" in part:
        return base64.b64decode(part["base64"])
    return part.get("text", "").encode("utf-8", "surrogatepass")


def chunks(text: bytes, seed: str) -> Iterator[bytes]:
    chosen, at, big = random.Random(seed), 0, max(1, len(text) // 400)
    while at < len(text):
        size = chosen.choice((chosen.randint(1, 7), chosen.randint(1, 90), chosen.randint(60, 700), big))
        yield text[at : at + size]
        at += size


def play(
    exchange: Exchange, *, seed: int = 0, whole: bool = False
) -> tuple[Endpoint, RequestFacts, ResponseFacts] | None:
    url = urlsplit(exchange["url"])
    endpoint = registry().endpoint(exchange["method"], url.hostname or "", url.port, url.path)
    if endpoint is None or endpoint.poll:
        return None
    request = endpoint.read_request(url.path, exchange["request_headers"], body(exchange["request_body"]))
    if request is None:
        return None
    reading = Reading(endpoint, request, exchange["status"], exchange["response_headers"])
    text = body(exchange["response_body"])
    if whole:
        reading.whole(text)
    else:
        for chunk in chunks(text, f"{seed}:{exchange['id']}"):
            reading.feed(chunk)
    return endpoint, request, reading.facts()


def squash(text: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(text).lower())


def judge(exchange: Exchange, played: tuple[Endpoint, RequestFacts, ResponseFacts] | None) -> dict[str, bool]:
    gold = exchange["gold"]
    if gold["class"] == "negative":
        return {"no_span": played is None}
    if played is None:
        return {} if gold["class"] == "optional" else {"detected": False}
    endpoint, request, facts = played
    right = {"detected": True, "operation": endpoint.operation in gold["operation_accept"]}
    if "*" not in gold["provider_accept"]:
        same = str if gold["provider"] in DEFINED else squash
        right["provider"] = same(endpoint.provider) in {same(name) for name in gold["provider_accept"]}
    asked = {*gold["request_model_accept"], gold["request_model"]}
    if gold["request_model"] is not None:
        right["request_model"] = request.model in asked
    if gold["response_model"] is not None:
        right["response_model"] = facts.model in (
            gold["response_model"],
            gold["response_model"].removeprefix("models/"),
        )
    else:
        right["response_model"] = facts.model is None or facts.model in asked
    right.update(judge_usage(gold, facts.usage or Usage()))
    if gold["finish_reasons"] and not gold["endpoint"].startswith("responses"):
        right["finish"] = sorted(r.lower() for r in facts.finish_reasons) == sorted(
            str(r).lower() for r in gold["finish_reasons"]
        )
    if gold["response_id"]:
        right["response_id"] = facts.id == gold["response_id"]
    right.update(judge_rest(gold, request, facts))
    return right


def judge_usage(gold: dict[str, Any], usage: Usage) -> dict[str, bool]:
    readings = [gold["usage"] or {}] + [other["usage"] for other in gold["usage_alternatives"]]
    have = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_creation": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
    }

    def same(reading: dict[str, Any], key: str) -> bool:
        want, got = reading.get(key), have[key]
        if key not in ("input_tokens", "output_tokens"):
            return (want or 0) == (got or 0)
        absent_is_zero = gold["operation"] in NO_OUTPUT or bool(gold["error"]) or want == 0
        absent_is_zero = absent_is_zero or (key == "output_tokens" and reading.get("input_tokens") is not None)
        return want == got or (not want and not got and absent_is_zero)

    fitting = [r for r in readings if same(r, "input_tokens") and same(r, "output_tokens")]
    right = {"tokens": bool(fitting), "tokens_primary": bool(fitting) and fitting[0] is readings[0]}
    if gold["usage"]:
        right["cache"] = any(same(r, "cache_read") and same(r, "cache_creation") for r in fitting or readings)
        right["reasoning"] = any(same(r, "reasoning") for r in fitting or readings)
        for ours, theirs in (
            (usage.cache_write_1h_tokens, "cache_creation_1h"),
            (usage.audio_input_tokens, "audio_input"),
            (usage.audio_output_tokens, "audio_output"),
            (usage.image_input_tokens, "image_input"),
            (usage.image_output_tokens, "image_output"),
            (usage.video_input_tokens, "video_input"),
        ):
            right[theirs] = any((r.get(theirs) or 0) == ours for r in fitting or readings)
    return right


def judge_rest(gold: dict[str, Any], request: RequestFacts, facts: ResponseFacts) -> dict[str, bool]:
    right = {}
    error = gold["error"]
    if error and not error.get("soft"):
        right["error_type"] = squash(facts.error_type) in {squash(kind) for kind in error["accept"]}
    elif not error and not gold["truncated"]:
        right["no_false_error"] = facts.error_type is None
        right["ended"] = facts.ended or not facts.finish_reasons
    if gold["provider_cost_usd"] and gold["provider"] in STATES_COST:
        right["provider_cost"] = (
            facts.provider_cost is not None and abs(facts.provider_cost - gold["provider_cost_usd"]) < 1e-9
        )
    right["stream"] = request.stream == gold["requested_stream"]
    if gold["service_tier"]:
        right["service_tier"] = facts.service_tier == gold["service_tier"]
    if gold["requested_service_tier"]:
        right["asked_tier"] = request.service_tier == gold["requested_service_tier"]
    searches = gold["server_tools"].get("web_search", 0)
    right["web_search"] = (facts.usage.web_searches if facts.usage else 0) == searches
    return right


pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recorded exchanges at {FOLDER}")


@pytest.mark.parametrize("name", names())
def test_facts_agree_with_the_gold(name: str) -> None:
    asked, wrong = 0, []
    for exchange in exchanges(name):
        for seed, whole in ((0, False), (1, False), (0, True)):
            right = judge(exchange, play(exchange, seed=seed, whole=whole))
            right.pop("tokens_primary", None)
            asked += len(right)
            wrong += [(exchange["id"], field) for field, value in right.items() if not value]
    assert len(wrong) <= (1 - TARGET) * asked, sorted(set(wrong))
    assert not [item for item in wrong if item[1] in ("no_span", "detected")]


def main() -> None:
    """Print right/asked by provider and field, and the failures."""
    table: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for name in names():
        for exchange in exchanges(name):
            gold = exchange["gold"]
            for whole in (False, True):
                right = judge(exchange, play(exchange, whole=whole))
                for field, value in right.items():
                    table[name][field][0] += value
                    table[name][field][1] += 1
                bad = [field for field, value in right.items() if not value and field != "tokens_primary"]
                if bad:
                    print(exchange["id"], name, gold.get("endpoint"), whole, bad)
    sums = [0, 0]
    for name, fields in table.items():
        rows = [counts for field, counts in fields.items() if field != "tokens_primary"]
        good, asked = sum(row[0] for row in rows), sum(row[1] for row in rows)
        sums = [sums[0] + good, sums[1] + asked]
        short = " ".join(f"{field} {row[0]}/{row[1]}" for field, row in fields.items() if row[0] != row[1])
        print(f"{name:20} {good}/{asked} {good / max(1, asked):.4f} {short}")
    print("all", sums, sums[0] / max(1, sums[1]))


if __name__ == "__main__":
    main()
