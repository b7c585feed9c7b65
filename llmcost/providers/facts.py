"""What was asked for, and what was answered."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from llmcost.calls import Usage

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
    seconds: float | None = None
    text_characters: int | None = None
    region: str | None = None
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


class ResponseFacts(NamedTuple):
    """What was answered. None means that the response does not say.

    Attributes:
        usage: what the response states, as a whole; None where it states nothing.
        own_usage: the part that the response's own model billed, where ``parts`` is not empty.
        parts: what further models billed (an advisor), by model.
        error_type: the provider's error type, code or status; an error inside a 200 counts.
        provider_cost: the cost in USD that the response states.
        status: the state of a background response, such as ``queued`` or ``completed``.
        output_characters: length of the answer's text as read so far, for estimates.
        ended: whether the end was seen: the end mark, a finish reason, or a complete JSON body.
    """

    model: str | None = None
    id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: Usage | None = None
    own_usage: Usage | None = None
    parts: tuple[tuple[str, Usage], ...] = ()
    service_tier: str | None = None
    status: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    provider_cost: float | None = None
    output_characters: int = 0
    ended: bool = False


def model_name(stated: str | None) -> str | None:
    """A model's name as requests and answers have it in common; Gemini's may come as a path, ``models/NAME``."""
    return stated.removeprefix("models/") if stated else None


def _is_blob(value: bytes) -> bool:
    """Whether a long text is base64 or the like, which is no prose: it has no blank early on."""
    return len(value) > _BLOB and b" " not in value[:_BLOB]
