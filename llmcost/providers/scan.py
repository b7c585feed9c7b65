"""Reading a few members of a large JSON object without parsing all of it.

Two facts make this exact. Inside a JSON text a quote is escaped, so ``"usage"`` followed by a colon is a key, never
a part of a text. And a key is a member of the outermost object if, and only if, ``{`` plus everything from that key
on is itself an object (a deeper key would leave closing braces over).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final

from llmcost.lean import dataclass
from llmcost.providers.wanted import Wanted, load

SMALL: Final = 3_000
"""Bodies up to this size are parsed whole: that is as fast as scanning."""

WINDOW: Final = 16_384
"""How far from the end the members behind the bulk are looked for, in bytes."""

WHOLE_LIMIT: Final = 8_000_000
"""Bodies that cannot be scanned are parsed whole up to this size, and given up above it."""

_TRIES: Final = 6
_NEAR: Final = 512
_VALUE: Final = re.compile(rb'\s*:\s*(?:"([^"\\]{1,80})"|(\d{1,9}))')
_decoder: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Skim:
    """What is read of a JSON object.

    Attributes:
        bulk: quoted keys of members that are skipped in a large object, such as ``"data"``.
        tail: quoted keys that are wanted and may stand behind the bulk.
        deep: words whose presence means that the bulk must be read too.
        wanted: what is built of a small object, and of a large one that can't be skipped through.
    """

    bulk: tuple[bytes, ...] = ()
    tail: tuple[bytes, ...] = ()
    deep: tuple[bytes, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)


def members(body: bytes, skim: Skim, *, whole: bool = False) -> dict[str, Any] | None:
    """The wanted members of a JSON object; ``whole`` reads the bulk of a large one too."""
    if len(body) > SMALL and skim.bulk and not whole and not any(word in body for word in skim.deep):
        found = _around(body, skim.bulk, skim.tail)
        if found is not None:
            return found
    if len(body) > WHOLE_LIMIT:
        return None
    document = skim.wanted.of(body)
    return document if isinstance(document, dict) else None


def _around(body: bytes, bulk: Sequence[bytes], tail: Sequence[bytes]) -> dict[str, Any] | None:
    starts = [at for at in (body.find(key, 0, WINDOW) for key in bulk) if at >= 0]
    if not starts:
        return None
    head = load(body[: min(starts)].rstrip(b" \t\r\n,") + b"}")
    if not isinstance(head, dict):
        return None
    missing = [key for key in tail if key[1:-1].decode() not in head]
    floor = max(min(starts), len(body) - WINDOW)
    places = sorted(at for at in (body.rfind(key, floor) for key in missing) if at >= 0)
    for at in places[:_TRIES]:
        found = load(b"{" + body[at:])
        if isinstance(found, dict):
            head = {**found, **head}
            break
    return head if not tail or tail[0][1:-1].decode() in head else None


def last_object(text: bytes, key: bytes) -> dict[str, Any] | None:
    """The last object that stands under a key at any depth; for pieces of an event that was too large to keep."""
    at = text.rfind(key)
    while at >= 0:
        piece = text[at + len(key) :].decode("utf-8", "replace").lstrip(" \t\r\n:")
        if piece.startswith("{"):
            try:
                found, _ = _decoder.raw_decode(piece)
            except (ValueError, RecursionError):
                return None
            return found if isinstance(found, dict) else None
        at = text.rfind(key, 0, at)
    return None


def value_near(body: bytes, key: bytes, at: int) -> str | None:
    """The text or number under a key just behind ``at``, or else the last one near the end."""
    for start in (body.find(key, at, at + _NEAR), body.rfind(key, max(at, len(body) - WINDOW))):
        if start >= 0:
            found = _VALUE.match(body, start + len(key))
            if found:
                return (found[1] or found[2]).decode("utf-8", "replace")
    return None
