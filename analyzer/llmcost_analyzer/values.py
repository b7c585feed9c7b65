"""What an expression may stand for, as far as finding calls needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

Ref = tuple[int, int]
"""A scope of the project: number of the file, number of the scope in it."""

_DEEPEST: Final = 3
"""Containers in each other."""
_LONGEST: Final = 10_000
"""Characters of a text; those that rules read of a prompt are fewer."""
_STEPS: Final = (".", "(", "[")
_MOST_STEPS: Final = 8
"""Attributes, calls and items in an access path; those that the tables name are shorter."""


@dataclass(frozen=True, slots=True)
class External:
    """Something of another package, by its access path: ``openai.OpenAI``, ``os.getenv()``."""

    path: str


@dataclass(frozen=True, slots=True)
class Sdk:
    """An object of a kind of the table, or what ``path`` on it gives. ``origin`` tells two of them apart."""

    kind: str
    path: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the project, by the number of its file; -1 with a name for a folder without ``__init__.py``."""

    file: int
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function or lambda of the project; ``bound`` where its first parameter is given already."""

    ref: Ref
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Class:
    """A class of the project."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class of the project; not ``exact`` where it may be one of a subclass."""

    ref: Ref
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Super:
    """``super()`` in a method of this class."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Text:
    """A text; parts that are not known are null characters.

    A text has an end: ``page = f"{page} {page}"`` would double each time it is worked out again.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > _LONGEST:
            object.__setattr__(self, "text", self.text[:_LONGEST])


@dataclass(frozen=True, slots=True)
class Items:
    """A container with these values; ``keys`` where they are known texts, one for each value.

    Containers in each other have an end: ``rows = [rows]`` holds ever deeper ones.
    """

    values: frozenset[Value]
    keys: tuple[tuple[str, Value], ...] = ()
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        values = frozenset(value for value in self.values if _depth(value) < _DEEPEST)
        if len(values) < len(self.values):
            object.__setattr__(self, "values", values)
            object.__setattr__(self, "keys", tuple(pair for pair in self.keys if pair[1] in values))
        object.__setattr__(self, "depth", 1 + max(map(_depth, values), default=0))


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a container or a text, before its call."""

    owner: Items | Text
    name: str


Value = External | Sdk | Module | Function | Class | Instance | Super | Text | Items | Method
Values = frozenset[Value]


def _depth(value: Value) -> int:
    """How many containers are in each other."""
    if isinstance(value, Method):
        value = value.owner
    return value.depth if isinstance(value, Items) else 0


NOTHING: Values = frozenset()
UNKNOWN_PART = "\0"
_UNKNOWN_PARTS: Final = re.compile(f"{UNKNOWN_PART}+")
_MOST_TEXTS: Final = 6


def combined(parts: Iterable[Iterable[Value]]) -> Values:
    """The texts that follow from what each part may be, one after the other; a part without a text is not known."""
    texts = [""]
    for part in parts:
        found = sorted(v.text for v in part if isinstance(v, Text)) or [UNKNOWN_PART]
        texts = [head + tail for head in texts for tail in found[:_MOST_TEXTS]][:_MOST_TEXTS]
    return frozenset(Text(_UNKNOWN_PARTS.sub(UNKNOWN_PART, text)) for text in texts)


def longer(path: str, step: str) -> str:
    """An access path with one more step; a long one (``rows.iloc[0].iloc[0]``, in circles) has an end."""
    return path if sum(map(path.count, _STEPS)) >= _MOST_STEPS else path + step


def in_order(value: Value) -> tuple[Ref, str]:
    """A key for sorting that keeps its order when scopes are added or the process is another."""
    if isinstance(value, (Function, Class, Instance, Super)):
        return value.ref, type(value).__name__
    if isinstance(value, Items):
        inner = sorted(map(in_order, value.values))
        return inner[-1][0] if inner else (0, 0), f"Items {inner}"
    return (-1, -1), repr(value)


def in_turn(values: Values) -> Iterable[Value]:
    """The values in an order that is the same in every process: what is met first may decide what is met later."""
    return values if len(values) < 2 else sorted(values, key=in_order)
