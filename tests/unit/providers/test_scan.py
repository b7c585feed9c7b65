"""Large JSON bodies are read without being parsed, and exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmcost.exchange.reading import Reading
from llmcost.exchange.wire import EVENT_LIMIT
from llmcost.providers import Endpoint, ResponseFacts, registry, scan


def endpoint_of(host: str, path: str) -> Endpoint:
    endpoint = registry().endpoint("POST", host, None, path)
    assert endpoint is not None
    return endpoint


CHAT = endpoint_of("api.openai.com", "/v1/chat/completions")
EMBEDDINGS = endpoint_of("api.openai.com", "/v1/embeddings")
MESSAGES = endpoint_of("api.anthropic.com", "/v1/messages")
RESPONSES = endpoint_of("api.openai.com", "/v1/responses")


def read(endpoint: Endpoint, document: Any, *, step: int | None = None) -> ResponseFacts:
    request = endpoint.read_request("", {}, b"{}")
    assert request is not None
    reading = Reading(endpoint, request, 200, {"content-type": "application/json"})
    body = json.dumps(document).encode()
    if step is None:
        reading.whole(body)
    else:
        for at in range(0, len(body), step):
            reading.feed(body[at : at + step])
    return reading.facts()


USAGE = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}


def chat(content: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"id": "c1", "model": "gpt-5", "choices": [choice], "usage": USAGE, **more}


@pytest.mark.parametrize("size", [10, 5_000, 60_000, 2 * EVENT_LIMIT])
@pytest.mark.parametrize("step", [None, 1_000, 65_536])
def test_a_chat_of_any_size(size: int, step: int | None) -> None:
    facts = read(CHAT, chat('word "usage": {"prompt_tokens": 1} ' * (size // 35), service_tier="flex"), step=step)
    assert (facts.model, facts.id, facts.service_tier, facts.finish_reasons) == ("gpt-5", "c1", "flex", ("stop",))
    assert facts.usage is not None
    assert (facts.usage.input_tokens, facts.usage.output_tokens, facts.ended) == (7, 9, True)


@pytest.mark.parametrize("step", [None, 4_096])
@pytest.mark.parametrize("order", [("data", "model", "usage"), ("usage", "data", "model"), ("model", "usage", "data")])
def test_members_in_any_order(order: tuple[str, ...], step: int | None) -> None:
    parts = {
        "data": [{"embedding": [0.123456] * 60_000}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    facts = read(EMBEDDINGS, {key: parts[key] for key in order}, step=step)
    assert facts.model == "text-embedding-3-small"
    assert facts.usage is not None
    assert facts.usage.input_tokens == 3


def test_a_key_inside_the_bulk_is_not_taken_for_the_real_one() -> None:
    tool = {"type": "tool_use", "name": "report", "input": {"usage": {"input_tokens": 1, "output_tokens": 1}}}
    content = [{"type": "text", "text": "x" * 5_000}, tool]
    usage = {"input_tokens": 50, "output_tokens": 60}
    facts = read(
        MESSAGES, {"id": "m", "model": "claude", "content": content, "stop_reason": "tool_use", "usage": usage}
    )
    assert facts.usage is not None
    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (50, 60)
    before = {"id": "m", "usage": usage, "model": "claude", "stop_reason": "tool_use", "content": content}
    assert read(MESSAGES, before).usage == facts.usage


def test_a_search_inside_the_bulk_is_counted() -> None:
    output = [
        {"type": "message", "text": "x" * 5_000},
        {"type": "web_search_call", "action": {"type": "search"}},
    ]
    facts = read(
        RESPONSES, {"id": "r", "model": "m", "output": output, "usage": {"input_tokens": 1, "output_tokens": 2}}
    )
    assert facts.usage is not None
    assert facts.usage.web_searches == 1


def test_members_gives_up_on_what_is_no_object() -> None:
    assert scan.members(b"[1, 2]", scan.Skim()) is None
    assert scan.members(b'{"a": 1', scan.Skim()) is None
    assert scan.members(b"[" * 100_000, scan.Skim()) is None


def test_a_large_request_is_read_from_both_ends() -> None:
    body = {
        "messages": [{"role": "user", "content": "word " * 20_000}],
        "tools": [{"parameters": {"properties": {"model": {"type": "string"}, "n": {"type": "integer"}}}}],
        "model": "gpt-5",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    facts = CHAT.read_request("/v1/chat/completions", {}, json.dumps(body).encode())
    assert facts is not None
    assert (facts.model, facts.stream, facts.include_usage, facts.choices) == ("gpt-5", True, True, None)
    assert facts.input_characters > 100_000


def test_base64_does_not_count_as_text() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 50_000}}
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": [picture]}]}).encode()
    facts = CHAT.read_request("/v1/chat/completions", {}, body)
    assert facts is not None
    assert facts.input_characters < 1_000


def test_facts_hide_the_prompt() -> None:
    facts = CHAT.read_request("/v1/chat/completions", {}, b'{"model": "m", "messages": ["secret"]}')
    assert "secret" not in repr(facts)
