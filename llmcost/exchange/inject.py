"""Opt-in: ask an OpenAI-like stream for its usage, and hide the extra chunk that this brings.

Without ``stream_options.include_usage`` such streams say nothing of tokens. Some hosts refuse the option, and the
program would see one more chunk, with no choices: so it is off unless ``LLMCOST_STREAM_USAGE=inject`` says otherwise.
"""

from __future__ import annotations

import json
import re
from typing import Final

USAGE_ON_REQUEST: Final = frozenset({"openai.chat", "openai.completions"})
"""Shapes whose streams state their usage only when they are asked to."""

_EVENT_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA: Final = re.compile(rb"^data: ?(.*)$", re.MULTILINE)


def with_usage_asked(body: bytes) -> bytes | None:
    """The request's body with ``include_usage`` added; None where it is no JSON object."""
    try:
        request = json.loads(body)
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    options = request.get("stream_options")
    request["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return json.dumps(request, separators=(",", ":")).encode()


class HiddenUsageChunk:
    """Passes a stream of server-sent events on, without the one event that only carries the usage."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Bytes for the program; an event is held until it is whole."""
        self._held += chunk
        out = b""
        while match := _EVENT_END.search(self._held):
            event, self._held = self._held[: match.end()], self._held[match.end() :]
            if not _only_usage(event):
                out += event
        return out

    def rest(self) -> bytes:
        """What is left at the end of the stream."""
        held, self._held = self._held, b""
        return held


def _only_usage(event: bytes) -> bool:
    if b'"usage"' not in event or b'"choices"' not in event:
        return False
    found = _DATA.search(event)
    try:
        chunk = json.loads(found.group(1)) if found else None
    except ValueError:
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and bool(chunk.get("usage"))
