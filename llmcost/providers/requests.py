"""What a request says: the fields that a shape names, read from a JSON body, a form or the path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmcost.providers import paths, scan
from llmcost.providers.descriptor import Shape
from llmcost.providers.facts import RequestFacts, model_name
from llmcost.providers.usual import Fact
from llmcost.records import make_tuple

_FORM_FIELD: Final = 2_000


def read(shape: Shape, route: Mapping[str, str], body: bytes, *, form: bool, certain: bool) -> RequestFacts | None:
    """The facts of a request, or None where the body does not have the shape.

    Args:
        shape: the shape of the endpoint.
        route: what the path says, such as ``model`` and ``region``.
        body: the request's body; empty where it is not known.
        form: whether the body is a multipart form; else it is JSON.
        certain: whether the host is known to be the provider's; elsewhere the body must have the shape's keys.
    """
    if not certain:
        for key in shape.needs:
            if key not in body:
                return None
    asked = shape.usual_request.read(body) if shape.usual_request is not None and not form else None
    if asked is None:
        asked = RequestFacts(**_facts(shape, _form(shape, body) if form else _document(shape, body)))[:-2]
    model = model_name(asked[0] or route.get("model"))
    return make_tuple(RequestFacts, (model, *asked[1:], route.get("region"), body))


def _facts(shape: Shape, document: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that stand under the document's keys; the shape's many other fields cost nothing."""
    facts: dict[str, Any] = {"stream": _flag(shape.request_defaults.get("stream"))}
    for field, key in shape.asks.of(document):
        value = paths.first(document, shape.request[field]) if key is None else document[key]
        if value is not None and value != "":
            fact = FACTS[field]
            facts[fact.name] = fact.convert(value)
    return facts


def with_stream(facts: RequestFacts, stream: bool) -> RequestFacts:
    """The same facts where the path, not the body, says whether the answer is streamed."""
    return facts._replace(stream=stream)


def _document(shape: Shape, body: bytes) -> Mapping[str, Any]:
    return (scan.members(body, shape.asked_in) or {}) if body else {}


def _form(shape: Shape, body: bytes) -> dict[str, Any]:
    """The named fields of a multipart form."""
    document: dict[str, Any] = {}
    for found in shape.request.values():
        for where in found:
            name = str(where[0])
            at = body.find(f'name="{name}"'.encode())
            start = body.find(b"\r\n\r\n", at) if at >= 0 else -1
            end = body.find(b"\r\n--", start + 4, start + 4 + _FORM_FIELD) if start >= 0 else -1
            if end >= 0:
                document[name] = body[start + 4 : end].decode("utf-8", "replace")
    return document


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _flag(value: Any) -> bool:
    return value is True or value == "true"


def _said(value: Any) -> bool:
    return value is True


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str) else None


FACTS: Final[Mapping[str, Fact]] = {
    "model": Fact("model", _text, "text"),
    "stream": Fact("stream", _flag, "flag"),
    "max_tokens": Fact("max_tokens", _integer, "count"),
    "temperature": Fact("temperature", _float, "number"),
    "top_p": Fact("top_p", _float, "number"),
    "choices": Fact("choices", _integer, "count"),
    "service_tier": Fact("service_tier", _text, "text"),
    "include_usage": Fact("include_usage", _said, "flag"),
    "image_size": Fact("image_size", _text, "text"),
    "image_quality": Fact("image_quality", _text, "text"),
    "search_context": Fact("search_context", _text, "text"),
    "seconds": Fact("seconds", _float, "number"),
    "input": Fact("text_characters", _length, None),
}
"""By field of a shape's request."""
