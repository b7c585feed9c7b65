"""What a request says: the fields that a shape names, read from a JSON body, a form or the path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from llmcost.providers import paths, scan
from llmcost.providers.descriptor import Shape

_FORM_FIELD: Final = 2_000
_BLOB: Final = 512
_STRING: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(\s*:)?', re.DOTALL)
"""A JSON text and whether it is a key. Possessive: a text that is not closed must not be tried in all ways."""


class RequestFacts(NamedTuple):
    """What was asked for. None means that the request does not say.

    ``search_context`` is the size of a built-in web search (low, medium, high); ``region`` a cloud region from the
    path; ``include_usage`` whether an OpenAI-like stream was asked for its usage.
    """

    model: str | None = None
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    choices: int | None = None
    service_tier: str | None = None
    include_usage: bool = False
    image_size: str | None = None
    image_quality: str | None = None
    search_context: str | None = None
    region: str | None = None
    seconds: float | None = None
    text_characters: int | None = None
    body: bytes = b""

    def __repr__(self) -> str:
        """Without the body: prompts belong in no log."""
        return f"RequestFacts(model={self.model!r}, stream={self.stream})"

    def asked(self, name: str) -> float | None:
        """A quantity that the provider bills by what was asked for: ``images``, ``seconds`` or ``characters``."""
        if name == "images":
            return self.choices or 1
        return self.seconds if name == "seconds" else self.text_characters

    @property
    def input_characters(self) -> int:
        """Length of all texts of the request, without base64; worked out when asked for, for estimates only."""
        if not self.body.startswith(b"{"):
            return 0
        return sum(len(value) for value, key in _STRING.findall(self.body) if not key and not _is_blob(value))


def _is_blob(value: bytes) -> bool:
    """Whether a long text is base64 or the like, which is no prose: it has no blank early on."""
    return len(value) > _BLOB and b" " not in value[:_BLOB]


def read(shape: Shape, route: Mapping[str, str], body: bytes, *, form: bool, certain: bool) -> RequestFacts | None:
    """The facts of a request, or None where the body does not have the shape.

    Args:
        shape: the shape of the endpoint.
        route: what the path says, such as ``model`` and ``region``.
        body: the request's body; empty where it is not known.
        form: whether the body is a multipart form; else it is JSON.
        certain: whether the host is known to be the provider's; elsewhere the body must have the shape's keys.
    """
    document = _form(shape, body) if form else _document(shape, body)
    if not certain and not all(key in document or f'"{key}"'.encode() in body for key in shape.needs):
        return None
    values = {name: paths.first(document, where) for name, where in shape.request.items()}
    model = _text(values.get("model")) or route.get("model")
    stream = values.get("stream")
    if stream is None:
        stream = shape.request_defaults.get("stream", False)
    spoken = _text(values.get("input"))
    return RequestFacts(
        model=model.removeprefix("models/") if model else None,
        stream=stream is True or stream == "true",
        max_tokens=_integer(values.get("max_tokens")),
        temperature=_float(values.get("temperature")),
        top_p=_float(values.get("top_p")),
        choices=_integer(values.get("choices")),
        service_tier=_text(values.get("service_tier")),
        include_usage=values.get("include_usage") is True,
        image_size=_text(values.get("image_size")),
        image_quality=_text(values.get("image_quality")),
        search_context=_text(values.get("search_context")),
        region=route.get("region"),
        seconds=_float(values.get("seconds")),
        text_characters=len(spoken) if spoken is not None else None,
        body=body,
    )


def with_stream(facts: RequestFacts, stream: bool) -> RequestFacts:
    """The same facts where the path, not the body, says whether the answer is streamed."""
    return facts._replace(stream=stream)


def _document(shape: Shape, body: bytes) -> Mapping[str, Any]:
    return (scan.members(body, shape.request_bulk, shape.request_tail, ()) or {}) if body else {}


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
