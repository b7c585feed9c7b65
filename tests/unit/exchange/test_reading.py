"""Responses too large to keep, and their ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmcost.exchange.reading import Reading
from llmcost.exchange.wire import EVENT_LIMIT
from llmcost.providers import ResponseFacts, registry


def read(
    path: str, body: bytes, step: int, content_type: str, host: str = "api.openai.com"
) -> tuple[Reading, ResponseFacts]:
    endpoint = registry().endpoint("POST", host, None, path)
    assert endpoint is not None
    request = endpoint.read_request(path, {}, b"{}")
    assert request is not None
    reading = Reading(endpoint, request, 200, {"content-type": content_type})
    for at in range(0, len(body), step):
        reading.feed(body[at : at + step])
    return reading, reading.facts()


def event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


PICTURE = "A" * (2 * EVENT_LIMIT)
USAGE = {"input_tokens": 14, "output_tokens": 15, "total_tokens": 29}


@pytest.mark.parametrize("step", [1_000, 50_000, 150_000, 10_000_000])
def test_an_event_too_large_to_keep_still_tells_its_usage(step: int) -> None:
    response: dict[str, Any] = {"id": "r", "model": "m", "status": "in_progress", "output": [], "usage": None}
    done = {**response, "status": "completed", "output": [{"type": "image", "result": PICTURE}], "usage": USAGE}
    body = event({"type": "response.created", "response": response})
    body += event({"type": "response.completed", "response": done})
    body += event({"type": "after", "n": 1})
    reading, facts = read("/v1/responses", body, step, "text/event-stream")
    assert (facts.id, facts.model, reading.done, reading.chunks) == ("r", "m", True, 3)
    assert facts.usage is not None
    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (14, 15)


@pytest.mark.parametrize("step", [1_000, 150_000, 10_000_000])
def test_an_item_too_large_to_keep_still_tells_its_usage(step: int) -> None:
    item = {
        "candidates": [{"content": {"parts": [{"inlineData": {"data": PICTURE}}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6, "totalTokenCount": 11},
    }
    path, host = "/v1beta/models/m:streamGenerateContent", "generativelanguage.googleapis.com"
    _, facts = read(path, json.dumps([item]).encode(), step, "application/json", host)
    assert facts.usage is not None
    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (5, 6)


def test_little_is_kept_of_a_long_stream() -> None:
    chunk = event({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x" * 900}}]})
    reading, facts = read("/v1/chat/completions", chunk * 2_000, 4_096, "text/event-stream")
    assert reading.chunks == 2_000
    assert facts.output_characters == pytest.approx(2_000 * 900, rel=0.02)
    assert not facts.ended


def test_a_body_that_is_cut_is_not_ended() -> None:
    whole = json.dumps({"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    assert read("/v1/chat/completions", whole.encode(), 9, "application/json")[1].ended
    _, facts = read("/v1/chat/completions", whole[:-1].encode(), 9, "application/json")
    assert not facts.ended
    assert facts.usage is not None
    assert facts.usage.output_tokens == 2


def test_facts_may_be_asked_for_twice() -> None:
    reading, facts = read("/v1/chat/completions", b'{"id": "c", "model": "m"}', 5, "application/json")
    assert reading.facts() == facts


def test_nothing_came() -> None:
    _, facts = read("/v1/chat/completions", b"", 1, "")
    assert facts == ResponseFacts()
