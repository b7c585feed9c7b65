"""Decoding only what is wanted of a JSON object: the rest is checked and skipped, and no object is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, TypedDict

from llmcost.providers.paths import Path

_scan: Final = json.JSONDecoder().raw_decode
_POSITION: Final = "index"
"""Tells the items of a list apart (see :func:`llmcost.providers.paths.each`), so it is always wanted there."""

Tree = dict[Any, Any]
"""The wanted paths by their segments; where a path ends is an empty tree, and everything below is wanted."""


def load(data: bytes) -> Any:
    """The parsed JSON, or None where it is none. Never raises on odd input."""
    try:
        if data.startswith(b"{"):
            # ``json.loads`` first guesses the encoding and looks for white space, as long as a small body takes.
            text = data.decode()
            found, end = _scan(text)
            if end == len(text):
                return found
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


class Wanted:
    """The parts of a document that somebody reads.

    Args:
        paths: from the outermost object; a path that leads to an object or a list wants all of it.
    """

    __slots__ = ("_decode", "_paths")

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._paths = tuple(paths)
        self._decode: Callable[[bytes], Any] | None = None

    def of(self, body: bytes) -> Any:
        """The wanted parts of a JSON object, in the same places. A text of another form than the paths say is parsed
        whole; None where it is no JSON. Never raises on odd input.
        """
        decode = self._decode or self._made()
        try:
            return decode(body)
        except (ValueError, RecursionError):
            return load(body)

    def _made(self) -> Callable[[bytes], Any]:
        import msgspec  # some milliseconds, so not before the first call

        self._decode = msgspec.json.Decoder(_form(_tree(self._paths))).decode
        return self._decode


def _tree(paths: Iterable[Path]) -> Tree:
    """The paths as one tree; a path that ends wins over those that go on below."""
    tree: Tree = {}
    for path in sorted(set(paths), key=len, reverse=True):
        node = tree
        for segment in path[:-1]:
            node = node.setdefault("*" if isinstance(segment, int) else segment, {})
        node["*" if isinstance(path[-1], int) else path[-1]] = {}
    return tree


def _form(tree: Tree) -> Any:
    """The type that a tree describes. Where the answer may come as null or in two forms, all of it is wanted."""
    if not tree:
        return Any
    if "*" not in tree:
        return TypedDict("Wanted", {key: _nullable(below) for key, below in tree.items()}, total=False)  # type: ignore[operator]
    if len(tree) > 1:
        return Any
    below = tree["*"]
    return list[_nullable({_POSITION: {}, **below} if below and "*" not in below else below)]  # type: ignore[misc]


def _nullable(tree: Tree) -> Any:
    form = _form(tree)
    return form if form is Any else form | None
