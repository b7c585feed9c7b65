"""Values as plain data, with scopes by their place and files by their path: they outlive the numbers of a scan."""

from __future__ import annotations

import pickle
from typing import Any, Final

from llmcost_analyzer.index import Index
from llmcost_analyzer.values import (
    NOTHING,
    Class,
    External,
    Function,
    Instance,
    Items,
    Method,
    Module,
    Ref,
    Sdk,
    Super,
    Text,
    Value,
    Values,
)

_NOTHING: Final = b""
Key = tuple[Any, ...]
"""A question: its kind, what it is about (a scope, a file by its number, a value or a text), and names."""


class Packer:
    """Packs values of one index, and unpacks what was packed of another."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def name(self, key: Key) -> str:
        """A name for a question that is the same in the next scan."""
        kind, about, *names = key
        return "\n".join([kind, self._about(about), *names])

    def _about(self, about: Ref | int | str | Value) -> str:
        if isinstance(about, str):
            return about
        if isinstance(about, int):
            return self._index.files[about].path
        if isinstance(about, tuple):
            return self._index.place(about)
        return repr(self._packed(about))

    def pack(self, values: Values) -> bytes:
        """The values as bytes."""
        return pickle.dumps(tuple(map(self._packed, values)), protocol=5) if values else _NOTHING

    def unpack(self, data: bytes) -> Values:
        """The values again.

        Raises:
            KeyError: a file or scope is not there any more.
        """
        if data == _NOTHING:
            return NOTHING
        return frozenset(map(self._unpacked, pickle.loads(data)))  # noqa: S301 - packed above

    def _packed(self, value: Value) -> tuple[Any, ...]:
        kind = type(value).__name__
        if isinstance(value, Items):
            keys = tuple((key, self._packed(item)) for key, item in value.keys)
            return kind, tuple(map(self._packed, value.values)), keys
        if isinstance(value, Method):
            return kind, self._packed(value.owner), value.name
        if isinstance(value, Module):
            return kind, self._index.files[value.file].path if value.file >= 0 else "", value.name
        if isinstance(value, (Function, Class, Instance, Super)):
            rest = value.bound if isinstance(value, Function) else isinstance(value, Instance) and value.exact
            return kind, self._index.place(value.ref), rest
        return (kind, *_fields(value))

    def _unpacked(self, row: tuple[Any, ...]) -> Value:
        kind, first, *rest = row
        if kind == "Items":
            values = frozenset(map(self._unpacked, first))
            return Items(values, tuple((key, self._unpacked(item)) for key, item in rest[0]))
        if kind == "Method":
            return Method(self._owner(first), rest[0])
        if kind == "Module":
            return Module(self._index.number(first) if first else -1, rest[0])
        if kind in _OF_SCOPE:
            value: Value = _OF_SCOPE[kind](self._index.at(first), rest[0])
        else:
            value = _PLAIN[kind](first, *rest)
        return value

    def _owner(self, row: tuple[Any, ...]) -> Items | Text:
        owner = self._unpacked(row)
        assert isinstance(owner, (Items, Text))
        return owner


def _fields(value: Value) -> tuple[str, ...]:
    if isinstance(value, Sdk):
        return value.kind, value.path, value.origin
    if isinstance(value, Text):
        return (value.text,)
    assert isinstance(value, External)
    return (value.path,)


_OF_SCOPE: Final[dict[str, Any]] = {
    "Function": Function,
    "Instance": Instance,
    "Class": lambda ref, _rest: Class(ref),
    "Super": lambda ref, _rest: Super(ref),
}
_PLAIN: Final[dict[str, Any]] = {"Sdk": Sdk, "Text": Text, "External": External}
