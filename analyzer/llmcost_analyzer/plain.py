"""Facts without lines and numbers of scopes: the same before and after a change elsewhere in the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

from llmcost_analyzer.facts import Expr, Param

_OF_SCOPE: Final = frozenset({"lambda", "def", "class", "in"})
"""Tags of expressions that hold the number of a scope."""
_CALL_LENGTH: Final = 5


def plain(value: Any, keys: Sequence[str]) -> Any:
    """An expression, or what is made of expressions.

    Args:
        value: what a scope says.
        keys: names of the scopes of the file, all different.
    """
    if isinstance(value, tuple):
        if len(value) == _CALL_LENGTH and value[0] == "call":
            value = value[:-1]
        elif len(value) > 1 and value[0] in _OF_SCOPE and isinstance(value[1], int):
            value = (value[0], keys[value[1]], *value[2:])
        return tuple(plain(part, keys) for part in value)
    if isinstance(value, list):
        return [plain(part, keys) for part in value]
    if isinstance(value, dict):
        return {key: plain(part, keys) for key, part in value.items()}
    if isinstance(value, Param):
        return plain(dataclasses.astuple(value), keys)
    return value


def content(expr: Expr, keys: Sequence[str]) -> str:
    """All that an expression says, as a text."""
    return repr(plain(expr, keys))


def short(text: str) -> str:
    """A short name for a content."""
    return f"{crc32(text.encode()):08x}"
