"""Patterns of paths, and of keys in raw JSON, each compiled when it is first needed."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::([^}]*))?\}")


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A path pattern, compiled when it is first needed.

    ``{name}`` is a part of one segment, ``{name:x}`` one that begins with x, ``*`` anything.
    """
    pieces = []
    for piece in re.split(r"(\{[^}]+\}|\*)", text):
        placeholder = _PLACEHOLDER.fullmatch(piece)
        if placeholder:
            pieces.append(f"(?P<{placeholder[1]}>{re.escape(placeholder[2] or '')}[^/]+?)")
        else:
            pieces.append(".*" if piece == "*" else re.escape(piece))
    return re.compile("".join(pieces))


@cache
def watch_pattern(keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """Any of some keys (or texts) whose value is neither null nor false, in raw JSON."""
    names = "|".join(re.escape(key) for key in keys)
    return re.compile(rf'"(?:{names})"(?!\s*+:\s*+(?:null|false))'.encode())


@cache
def text_pattern(keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """The texts in raw JSON under any of some keys; ``delta.content`` is one inside the object ``delta``."""
    children: dict[str, list[str]] = {}
    for key in keys:
        parent, _, child = key.rpartition(".")
        children.setdefault(parent, []).append(re.escape(child))
    pieces = []
    for parent, names in children.items():
        inside = rf'"{re.escape(parent)}":\s*\{{[^{{}}]*?' if parent else ""
        pieces.append(rf'{inside}"(?:{"|".join(names)})":\s*"((?:[^"\\]++|\\.)++)"')
    return re.compile("|".join(pieces).encode(), re.DOTALL)
