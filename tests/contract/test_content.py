"""Messages stay in the program unless the standard switch says otherwise."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from contract.observed import observed
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

SECRET = "the prompt nobody may see"
ANSWER = "the answer nobody may see"

USER = {"role": "user", "content": SECRET}
SYSTEM = {"role": "system", "content": "be kind"}

SHAPES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "https://api.openai.com/v1/chat/completions",
        {"model": "gpt-5-mini", "messages": [SYSTEM, USER]},
        {"choices": [{"message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}]},
    ),
    (
        "https://api.anthropic.com/v1/messages",
        {"model": "claude-haiku-4-5", "max_tokens": 9, "system": "be kind", "messages": [USER]},
        {"content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn", "type": "message"},
    ),
    (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": SECRET}]}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": ANSWER}]}, "finishReason": "STOP"}]},
    ),
    (
        "https://api.openai.com/v1/responses",
        {"model": "gpt-5-mini", "input": SECRET, "instructions": "be kind"},
        {"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": ANSWER}]}]},
    ),
]  # fmt: skip


def ask(url: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
    httpx = importlib.import_module("httpx2")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"id": "x", **answer}))
    with httpx.Client(transport=transport) as client:
        client.post(url, json=body)


def texts(value: Any) -> str:
    messages = json.loads(str(value))
    return " ".join(part["content"] for message in messages for part in message.get("parts", [message]))


@pytest.mark.parametrize(("url", "body", "answer"), SHAPES)
def test_nothing_is_captured_by_default(url: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
    with observed() as seen:
        ask(url, body, answer)
        told = repr([(span.name, dict(span.attributes or {}), span.events) for span in seen.spans]) + repr(seen.calls)
        assert SECRET not in told
        assert ANSWER not in told


@pytest.mark.parametrize("where", ["SPAN_ONLY", "SPAN_AND_EVENT"])
@pytest.mark.parametrize(("url", "body", "answer"), SHAPES)
def test_on_the_span(url: str, body: dict[str, Any], answer: dict[str, Any], where: str) -> None:
    with observed(capture_content=where) as seen:
        ask(url, body, answer)
        got = dict(seen.span.attributes or {})
        assert SECRET in texts(got["gen_ai.input.messages"])
        assert texts(got["gen_ai.output.messages"]) == ANSWER
        if any(key in body for key in ("system", "instructions")):
            assert texts(got["gen_ai.system_instructions"]) == "be kind"
        assert SECRET not in repr(seen.calls), "the record never holds messages"


def test_in_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr(_logs, "get_logger", lambda name, **_: provider.get_logger(name))
    with observed(capture_content="EVENT_ONLY") as seen:
        ask(*SHAPES[0])
        assert "gen_ai.input.messages" not in (seen.span.attributes or {})
        (log,) = exporter.get_finished_logs()
        record = log.log_record
        assert record.event_name == "gen_ai.client.inference.operation.details"
        assert SECRET in texts((record.attributes or {})["gen_ai.input.messages"])
        assert record.span_id == seen.span.get_span_context().span_id  # type: ignore[union-attr]
