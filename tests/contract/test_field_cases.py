"""Reports of wrong counts and broken programs (see :mod:`contract.field_cases`), each as a whole exchange over a hooked
client: what the provider sends, what the program gets, and the one call that is recorded."""

from __future__ import annotations

import gc
import json
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.field_cases import CASES, Case
from contract.observed import Observed, observed

import llmcost

REPOSITORY = Path(__file__).resolve().parents[2]
CHAT = "https://api.openai.com/v1/chat/completions"
ROUTER = "https://openrouter.ai/api/v1/chat/completions"
MOONSHOT = "https://api.moonshot.ai/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
MESSAGES = "https://api.anthropic.com/v1/messages"
GEMINI = "https://generativelanguage.googleapis.com/v1beta/models"
SSE = "text/event-stream"


@pytest.fixture
def seen() -> Iterator[Observed]:
    with observed() as collected:
        yield collected


@dataclass(frozen=True)
class Exchange:
    """A request and what the provider answers; ``body`` is sent as it is, in the parts given."""

    url: str
    asked: dict[str, Any]
    parts: list[bytes]
    kind: str = "application/json"
    status: int = 200

    def client(self, sent: list[bytes] | None = None) -> httpx.Client:
        def answer(request: httpx.Request) -> httpx.Response:
            if sent is not None:
                sent.append(request.content)
            return httpx.Response(self.status, headers={"content-type": self.kind}, content=iter(self.parts))

        return httpx.Client(transport=httpx.MockTransport(answer))

    def made(self, sent: list[bytes] | None = None) -> bytes:
        """Make the call and read its body, as it comes."""
        with self.client(sent) as client, client.stream("POST", self.url, json=self.asked) as response:
            return b"".join(response.iter_raw())


def whole(url: str, asked: dict[str, Any], answer: dict[str, Any], status: int = 200) -> Exchange:
    return Exchange(url, asked, [json.dumps(answer).encode()], status=status)


def events(*chunks: Any, end: bytes = b"data: [DONE]\n\n") -> list[bytes]:
    return [*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), end]


def words(*texts: str, **more: Any) -> list[dict[str, Any]]:
    head = {"id": "c-1", "object": "chat.completion.chunk", "model": "gpt-5", **more}
    return [{**head, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]


def chat(tier: str | None, answered: str | None, **changes: Any) -> Exchange:
    asked = {"model": "gpt-5", "messages": [], **({"service_tier": tier} if tier else {})}
    answer = {"id": "c-1", "model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}
    return whole(CHAT, asked, {**answer, **({"service_tier": answered} if answered else {}), **changes})


def anthropic(model: str, usage: dict[str, Any]) -> Exchange:
    asked = {"model": model, "max_tokens": 100, "messages": []}
    content = [{"type": "text", "text": "x"}]
    return whole(MESSAGES, asked, {"id": "m", "type": "message", "model": model, "content": content, "usage": usage})


FRESH_AND_CACHED = anthropic(
    "claude-sonnet-4-5-20250929",
    {
        "input_tokens": 5, "cache_read_input_tokens": 128_955, "cache_creation_input_tokens": 1_253,
        "output_tokens": 100,
    },
)  # fmt: skip
TWO_KINDS_OF_WRITES = anthropic(
    "claude-opus-4-8",
    {
        "input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 1_000_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 600_000, "ephemeral_1h_input_tokens": 400_000},
    },
)  # fmt: skip
LONG_PROMPT = whole(
    f"{GEMINI}/gemini-2.5-pro:generateContent",
    {"contents": []},
    {
        "modelVersion": "gemini-2.5-pro",
        "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 262_960, "cachedContentTokenCount": 257_955, "candidatesTokenCount": 1_744,
            "totalTokenCount": 264_704,
        },
    },
)  # fmt: skip
REASONED = whole(
    RESPONSES,
    {"model": "gpt-5.1", "input": "x"},
    {
        "id": "r", "object": "response", "status": "completed", "model": "gpt-5.1", "output": [],
        "usage": {
            "input_tokens": 22_118, "output_tokens": 1_970, "output_tokens_details": {"reasoning_tokens": 956},
            "total_tokens": 24_088,
        },
    },
)  # fmt: skip
STREAMED_TIER = Exchange(
    CHAT,
    {"model": "gpt-5", "messages": [], "service_tier": "priority", "stream": True},
    events(
        *words("a", "b", service_tier="default"),
        {"model": "gpt-5", "choices": [], "service_tier": "default",
         "usage": {"prompt_tokens": 1000, "completion_tokens": 500}},
    ),
    SSE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("exchange", "tokens", "details", "total"),
    [
        pytest.param(
            FRESH_AND_CACHED, (130_213, 100), {"cache_read_tokens": 128_955, "cache_write_tokens": 1_253},
            0.04490025, id="1a",
        ),
        pytest.param(
            TWO_KINDS_OF_WRITES, (1_000_000, 0), {"cache_write_tokens": 1_000_000, "cache_write_1h_tokens": 400_000},
            7.75, id="1b",
        ),
        pytest.param(LONG_PROMPT, (262_960, 1_744), {"cache_read_tokens": 257_955}, 0.10316125, id="2"),
        pytest.param(REASONED, (22_118, 1_970), {"reasoning_tokens": 956}, 0.0473475, id="3"),
        pytest.param(chat("priority", "default"), (1000, 500), {}, 0.00625, id="4a"),
        pytest.param(chat("flex", "flex"), (1000, 500), {}, 0.003125, id="4b"),
        pytest.param(chat("auto", "priority"), (1000, 500), {}, 0.0125, id="4c"),
        pytest.param(STREAMED_TIER, (1000, 500), {}, 0.00625, id="4d"),
    ],
)  # fmt: skip
def test_tokens_and_cost_of_a_whole_exchange(
    seen: Observed, exchange: Exchange, tokens: tuple[int, int], details: dict[str, int], total: float
) -> None:
    assert exchange.made() == b"".join(exchange.parts)
    usage = seen.call.usage
    assert (usage.input_tokens, usage.output_tokens) == tokens
    assert {name: getattr(usage, name) for name in details} == details
    assert seen.call.cost.total == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("stated", [0.000786, None, "n/a"])
def test_a_gateway_s_stated_cost_wins_and_nothing_else_is_taken_for_it(seen: Observed, stated: object) -> None:
    usage: dict[str, object] = {"prompt_tokens": 5156, "completion_tokens": 21, "total_tokens": 5177}
    usage |= {} if stated is None else {"cost": stated}
    body = {"id": "g", "model": "openai/gpt-4o-mini", "choices": [], "usage": usage}
    whole(ROUTER, {"model": "openai/gpt-4o-mini", "messages": []}, body).made()
    cost = seen.call.cost
    if stated == 0.000786:
        assert (cost.total, cost.price_source) == (0.000786, "provider")
    else:
        assert cost.status == "unpriced" or cost.total == pytest.approx(0.000786, abs=1e-12)
        assert cost.total is None or cost.price_key is not None


TOTALS = (
    {"promptTokenCount": 10, "totalTokenCount": 10},
    {"promptTokenCount": 10, "candidatesTokenCount": 50, "totalTokenCount": 60},
    {"promptTokenCount": 10, "candidatesTokenCount": 80, "thoughtsTokenCount": 40, "totalTokenCount": 130},
)
CHUNKS = [
    {
        "candidates": [{"content": {"parts": [{"text": "x"}]}}],
        "modelVersion": "gemini-2.5-flash",
        "usageMetadata": total,
    }
    for total in TOTALS
]


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
@pytest.mark.parametrize("form", ["sse", "array"])
def test_running_totals_are_not_summed_whatever_the_cut(seen: Observed, form: str, step: int) -> None:
    body = b"".join(events(*CHUNKS, end=b"")) if form == "sse" else json.dumps(CHUNKS, indent=1).encode()
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    url = f"{GEMINI}/gemini-2.5-flash:streamGenerateContent{'?alt=sse' if form == 'sse' else ''}"
    exchange = Exchange(url, {"contents": []}, parts, SSE if form == "sse" else "application/json")
    assert exchange.made() == body
    usage = seen.call.usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (10, 120, 40)
    assert seen.call.cost.total == pytest.approx(0.000303, abs=1e-12)


def test_dropped_streams_leave_nothing_behind(seen: Observed) -> None:
    asked = {"model": "gpt-5", "messages": [], "stream": True}
    exchange = Exchange(CHAT, asked, events(*words(*["twenty", "words", "in", "all"] * 5)), SSE)

    def drop(times: int) -> None:
        for _ in range(times):
            client = exchange.client()
            response = client.send(client.build_request("POST", CHAT, json=asked), stream=True)
            next(response.iter_raw())
            del response, client
        gc.collect()
        llmcost.force_flush()

    drop(50)
    tracemalloc.start()
    try:
        drop(50)
        seen.calls.clear()
        seen.exporter.clear()
        before = tracemalloc.get_traced_memory()[0]
        drop(500)
        assert len(seen.calls) == len(seen.spans) == 500
        assert {call.outcome for call in seen.calls} == {"collected"}
        assert {call.cost.status for call in seen.calls} == {"partial"}
        seen.calls.clear()
        seen.exporter.clear()
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert left < 500 * 200, "less than a call's own record for each"


ODD = (
    b": keep-alive\n\n"
    b'data:{"id":"c","model":"gpt-5","choices":[]}\r\n\r\n'
    b'id: 7\nretry: 10\ndata: {"id":"c","model":"gpt-5"}\n\n'
    b'data: {"id":"c","model":"gpt-5","choices":[{"index":0,"delta":null}],"usage":null}\n\n'
    b'data: {"id":"c","choices":[{"delta":{"tool_calls":[{"index":null,"function":{"arguments":null}}]}}]}\n'
    b"\n"
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":"stop"}]}\r\n\r\n'
    b'data: {"id":"c","model":"gpt-5","choices":[],"usage":{"prompt_tokens":15,"completion_tokens":23}}\n\n'
)


@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_odd_chunks_reach_the_program_untouched(seen: Observed, step: int) -> None:
    parts = [ODD[at : at + step] for at in range(0, len(ODD), step)]
    assert Exchange(CHAT, {"model": "gpt-5", "messages": [], "stream": True}, parts, SSE).made() == ODD
    usage = seen.call.usage
    assert (usage.input_tokens, usage.output_tokens, seen.call.cost.status) == (15, 23, "priced")


def test_a_stream_without_usage_is_estimated_and_its_request_untouched(seen: Observed) -> None:
    asked = {"model": "gpt-5", "messages": [{"role": "user", "content": "Say a few words"}], "stream": True}
    end = {"model": "gpt-5", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    sent: list[bytes] = []
    Exchange(CHAT, asked, events(*words("a few", " words"), end), SSE).made(sent)
    assert [json.loads(body) for body in sent] == [asked]
    assert seen.call.cost.status == "estimated"
    assert seen.call.usage_estimated
    assert (seen.call.usage.total_tokens or 0) > 0
    assert (seen.call.cost.total or 0) > 0


def test_usage_in_the_last_choice_is_the_provider_s(seen: Observed) -> None:
    said = {"prompt_tokens": 15, "completion_tokens": 23, "total_tokens": 38}
    end = {
        "model": "moonshot-v1-128k",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": said}],
    }
    asked = {"model": "moonshot-v1-128k", "messages": [], "stream": True}
    Exchange(MOONSHOT, asked, events(*words("x", model="moonshot-v1-128k"), end), SSE).made()
    assert (seen.call.usage.input_tokens, seen.call.usage.output_tokens) == (15, 23)
    assert (seen.call.cost.status, seen.call.usage_estimated) == ("priced", False)


def test_a_refused_prompt_costs_nothing(seen: Observed) -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long"}}
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "x" * 10_000}]}
    whole(MESSAGES, asked, body, status=400).made()
    call = seen.call
    assert (call.cost.status, call.cost.total, call.error_type) == ("not_billed", None, "invalid_request_error")
    assert "llm.cost.total" not in (seen.span.attributes or {})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_case_names_tests_that_are_there(case: Case) -> None:
    assert case.tests
    for test in case.tests:
        file, _, name = test.partition("::")
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), test
