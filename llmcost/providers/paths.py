"""Paths into parsed JSON: ``choices.*.finish_reason`` names a key, an index or, by ``*``, every item of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]


def parse(text: str) -> Path:
    """The segments of a path; digits are list indices."""
    return tuple(int(part) if part.isdigit() else part for part in text.split("."))


def get(document: Any, path: Path) -> Any:
    """The value at a path without ``*``, or None where the path does not lead anywhere."""
    value = document
    for segment in path:
        if isinstance(value, dict):
            value = value.get(segment)
        elif isinstance(value, list) and isinstance(segment, int) and segment < len(value):
            value = value[segment]
        else:
            return None
    return value


def first(document: Any, paths: Sequence[Path]) -> Any:
    """The first value that is neither None nor an empty text."""
    for path in paths:
        value = document.get(path[0]) if len(path) == 1 else get(document, path)
        if value is not None and value != "":
            return value
    return None


def each(document: Any, path: Path) -> Iterator[tuple[Any, Any]]:
    """Every value at a path with ``*``, with a key that tells the items apart: their ``index`` or their position."""
    star = path.index("*") if "*" in path else -1
    if star < 0:
        yield 0, get(document, path)
        return
    rest = path[star + 1 :]
    items = document.get(path[0]) if star == 1 and isinstance(document, dict) else get(document, path[:star])
    if not isinstance(items, list):
        return
    for position, item in enumerate(items):
        key = item.get("index", position) if isinstance(item, dict) else position
        if len(rest) == 1 and rest[0] != "*":
            yield key, item.get(rest[0]) if isinstance(item, dict) else get(item, rest)
            continue
        if "*" not in rest:
            yield key, get(item, rest)
            continue
        for inner, value in each(item, rest):
            yield f"{key}.{inner}", value


def nest(path: Path, value: Any) -> dict[Any, Any]:
    """A document in which the path leads to the value."""
    for segment in reversed(path):
        value = [value] if segment == 0 else {segment: value}
    return value if isinstance(value, dict) else {}
