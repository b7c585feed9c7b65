"""Message content, only as ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says; nothing by default.

The conventions want messages as ``[{"role": …, "parts": [{"type": "text", "content": …}]}]``. Texts are kept, other
parts only by their type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry import _logs
from opentelemetry.context import Context

from llmcost import semconv

ON_SPAN: Final = frozenset({"SPAN_ONLY", "SPAN_AND_EVENT"})
IN_EVENT: Final = frozenset({"EVENT_ONLY", "SPAN_AND_EVENT"})
EVENT_NAME: Final = "gen_ai.client.inference.operation.details"

_INPUTS: Final = ("messages", "input", "contents", "prompt")
_INSTRUCTIONS: Final = ("system", "instructions", "systemInstruction", "system_instruction", "preamble")
_OUTPUTS: Final = ("choices", "candidates", "output", "content", "message", "generations", "response", "text", "delta")
_TEXTS: Final = ("text", "content", "output_text", "thinking")


def captured(request_body: bytes, documents: Iterable[bytes]) -> dict[str, str]:
    """The content attributes of one call, as JSON texts.

    Args:
        request_body: the request's body.
        documents: the JSON documents of the response: one body, or the events of a stream.
    """
    asked = _load(request_body)
    out: dict[str, str] = {}
    for name, keys, role in (
        (semconv.SYSTEM_INSTRUCTIONS, _INSTRUCTIONS, None),
        (semconv.INPUT_MESSAGES, _INPUTS, "user"),
    ):
        found = next((asked[key] for key in keys if asked.get(key)), None)
        if found is not None:
            messages = list(_messages(found, role or "system"))
            value = messages if role else [part for message in messages for part in message["parts"]]
            out[name] = json.dumps(value, ensure_ascii=False)
    text = "".join(piece for document in documents for piece in _answer(_load(document)))
    if text:
        parts = [{"type": "text", "content": text}]
        out[semconv.OUTPUT_MESSAGES] = json.dumps([{"role": "assistant", "parts": parts}], ensure_ascii=False)
    return out


def emit(attributes: Mapping[str, Any], context: Context | None) -> None:
    """Send the content as a log event beside the span."""
    logger = _logs.get_logger(semconv.SCOPE, schema_url=semconv.SCHEMA_URL)
    severity = _logs.SeverityNumber.DEBUG
    logger.emit(event_name=EVENT_NAME, attributes=attributes, context=context, severity_number=severity)


def _load(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _messages(value: Any, role: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, list) and all(isinstance(item, dict) and _is_message(item) for item in value):
        for item in value:
            content = item.get("content", item.get("parts"))
            yield {"role": str(item.get("role", role)), "parts": list(_parts(content))}
    else:
        yield {"role": role, "parts": list(_parts(value))}


def _is_message(item: Mapping[str, Any]) -> bool:
    return "role" in item or ("parts" in item and "type" not in item)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, str):
        yield {"type": "text", "content": value}
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, dict):
        inner = value.get("parts", value.get("content"))
        if isinstance(inner, list):
            yield from _parts(inner)
        else:
            text = next((value[key] for key in _TEXTS if isinstance(value.get(key), str)), None)
            yield {"type": "text", "content": text} if text is not None else {"type": str(value.get("type", "other"))}


def _answer(document: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a response or of one event, wherever the providers' shapes hold them."""
    if str(document.get("type", "")).endswith((".done", ".completed", ".added")):
        return  # the Responses API repeats in these events what its deltas said
    for key in _OUTPUTS:
        if key in document:
            yield from _texts(document[key])
            return


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key in ("message", "delta", "content", "parts", "text"):
            if key in value:
                yield from _texts(value[key])
                return
