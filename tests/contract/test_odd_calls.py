"""Calls that take a turn: usage asked for on the program's behalf, background responses, calls told by hand."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from contract.observed import observed
from opentelemetry.context import Context

import llmcost
from llmcost.calls import Call
from llmcost.exchange.inject import HiddenUsageChunk
from llmcost.runtime import runtime

BASE = "https://api.openai.com/v1"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c", "model": "gpt-5-mini", **fields}).encode() + b"\n\n"


TEXT = [event(choices=[{"index": 0, "delta": {"content": "word "}}]) for _ in range(3)]
USAGE_CHUNK = event(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"


def stream_server(asked: list[dict[str, Any]]) -> Any:
    httpx = importlib.import_module("httpx2")

    def answer(request: Any) -> Any:
        body = json.loads(request.content)
        asked.append(body)
        wants = (body.get("stream_options") or {}).get("include_usage")
        parts = [*TEXT, *([USAGE_CHUNK] if wants else []), DONE]
        assert request.headers["content-length"] == str(len(request.content))
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter(parts))

    return httpx.Client(transport=httpx.MockTransport(answer))


def read_stream(client: Any, **more: Any) -> bytes:
    body = {"model": "gpt-5-mini", "messages": [], "stream": True, **more}
    with client.stream("POST", f"{BASE}/chat/completions", json=body) as response:
        return b"".join(response.iter_bytes())


def test_usage_is_asked_for_and_its_chunk_hidden() -> None:
    asked: list[dict[str, Any]] = []
    with observed(stream_usage="inject") as seen, stream_server(asked) as client:
        assert read_stream(client) == b"".join([*TEXT, DONE])
        assert asked[0]["stream_options"] == {"include_usage": True}
        assert (seen.call.cost.status, seen.call.usage.input_tokens) == ("priced", 1000)


def test_a_program_that_asks_itself_sees_its_chunk() -> None:
    asked: list[dict[str, Any]] = []
    with observed(stream_usage="inject"), stream_server(asked) as client:
        assert USAGE_CHUNK in read_stream(client, stream_options={"include_usage": True})


def test_nothing_is_added_unless_asked() -> None:
    asked: list[dict[str, Any]] = []
    with observed() as seen, stream_server(asked) as client:
        assert read_stream(client) == b"".join([*TEXT, DONE])
        assert "stream_options" not in asked[0]
        assert seen.call.cost.status == "estimated"
        assert (seen.call.cost.total or 0) > 0
        assert (seen.span.attributes or {})["llmcost.usage.estimated"] is True


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_hiding_works_for_any_split(size: int, newline: bytes) -> None:
    whole = b"".join([*TEXT, USAGE_CHUNK, DONE]).replace(b"\n", newline)
    hidden = HiddenUsageChunk()
    out = b"".join(hidden.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + hidden.rest()
    assert out == b"".join([*TEXT, DONE]).replace(b"\n", newline)


def test_a_background_response_counts_once_when_its_poll_answers() -> None:
    httpx = importlib.import_module("httpx2")
    states = iter(["queued", "in_progress", "completed", "completed"])

    def answer(_: Any) -> Any:
        status = next(states)
        usage = {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200} if status == "completed" else None
        body = {"id": "resp_1", "object": "response", "model": "gpt-5-mini", "status": status, "usage": usage}
        return httpx.Response(200, json={**body, "output": []})

    with observed() as seen, httpx.Client(transport=httpx.MockTransport(answer)) as client:
        client.post(f"{BASE}/responses", json={"model": "gpt-5-mini", "input": "x", "background": True})
        assert seen.calls == [], "what it costs is not known yet"
        client.get(f"{BASE}/responses/resp_1")
        assert seen.calls == []
        client.get(f"{BASE}/responses/resp_1")
        assert (seen.call.cost.status, seen.call.usage.output_tokens) == ("priced", 200)
        client.get(f"{BASE}/responses/resp_1")
        assert len(seen.calls) == 1, "a further poll repeats what is counted"
        assert len(seen.spans) == 1


def test_a_background_response_that_is_never_polled_is_said_to_be_partial() -> None:
    httpx = importlib.import_module("httpx2")
    body = {"id": "resp_2", "object": "response", "model": "gpt-5-mini", "status": "queued", "output": []}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    with observed() as seen, httpx.Client(transport=transport) as client:
        client.post(f"{BASE}/responses", json={"model": "gpt-5-mini", "input": "x", "background": True})
    assert (seen.call.cost.status, seen.call.cost.total) == ("partial", None)


def test_a_call_told_by_hand() -> None:
    with observed() as seen:
        with llmcost.log_call(provider="openai", model="gpt-5-mini", call_type="chat") as call:
            call.complete(input_tokens=1000, output_tokens=200)
        with llmcost.log_call(provider="me", model="mine") as call:
            call.complete(cost=0.25)
    priced, explicit = seen.calls
    assert priced.cost.status == "priced"
    assert priced.cost.total == pytest.approx(0.00065)
    assert (explicit.cost.status, explicit.cost.total) == ("explicit", 0.25)


def test_a_hooked_call_inside_a_logged_one_counts_once() -> None:
    asked: list[dict[str, Any]] = []
    with observed() as seen, stream_server(asked) as client:
        with llmcost.log_call(provider="openai", model="gpt-5-mini", call_type="extraction") as call:
            read_stream(client)
            call.complete(input_tokens=1)
        assert seen.call.call_type == "extraction"


def test_context_section_and_label_reach_the_call() -> None:
    asked: list[dict[str, Any]] = []
    with (
        observed() as seen,
        stream_server(asked) as client,
        llmcost.context(user_id="u1", agent="pm", tags=["production"], company="acme"),
        llmcost.section("agent:researcher"),
        llmcost.section("tool:web_search"),
        llmcost.label("billing-summary"),
    ):
        read_stream(client)
    got = dict(seen.span.attributes or {})
    assert (got["user.id"], got["gen_ai.agent.name"]) == ("u1", "pm")
    assert got["llm.semantic_label"] == "billing-summary"
    assert got["llmcost.semantic_label_source"] == "explicit"
    assert got["llmcost.section_path"] == "agent:researcher/tool:web_search"
    assert got["llmcost.context.company"] == "acme"
    assert got["tag.tags"] == ("production",)
    assert got["llmcost.call_type"] == "summarization"
    assert got["code.function.name"] == "read_stream"


@pytest.mark.parametrize(
    ("url", "unseen"),
    [
        ("https://api.openai.com/v1/realtime/sessions", 1),
        ("https://api.openai.com/v1/batches", 1),
        ("https://api.openai.com/v1/files", 0),
        ("https://api.anthropic.com/v1/messages/count_tokens", 0),
        ("https://api.anthropic.com/v1/messages/batches", 1),
        ("https://example.org/v1/batches", 0),
    ],
)
def test_requests_that_cannot_be_read_are_counted(url: str, unseen: int, tmp_path: Path) -> None:
    httpx = importlib.import_module("httpx2")
    hosts: list[str] = []

    class Counter:
        def observe(self, call: Call, context: Context | None = None) -> None:
            raise AssertionError(call)

        def unseen(self, host: str) -> None:
            hosts.append(host)

    with observed(store=str(tmp_path / "store")), httpx.Client(transport=mock_ok(httpx)) as client:
        runtime.observers.add(Counter())
        client.post(url, json={"any": "thing"})
        client.get(url)
    assert len(hosts) == unseen


def mock_ok(httpx: Any) -> Any:
    return httpx.MockTransport(lambda _: httpx.Response(200, json={}))


def test_a_price_map_that_cannot_be_read_loses_no_call(tmp_path: Path) -> None:
    broken = tmp_path / "prices.json"
    broken.write_text("{", encoding="utf-8")
    httpx = importlib.import_module("httpx2")
    answer = {"id": "c", "model": "gpt-5-mini", "choices": [{"index": 0, "finish_reason": "stop"}], "usage": USAGE}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with observed(price_map=str(broken)) as seen, httpx.Client(transport=transport) as client:
        client.post(f"{BASE}/chat/completions", json={"model": "gpt-5-mini", "messages": []})
    assert (seen.call.cost.status, seen.call.usage.input_tokens) == ("unpriced", 1000)
    assert str(broken) in (seen.call.cost.note or "")
