"""What an expression may stand for, as far as finding calls needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Ref = tuple[int, int]
"""A scope of the project: number of the file, number of the scope in it."""


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
    """A text; parts that are not known are null characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A container with these values; ``keys`` where they are known texts, one for each value."""

    values: frozenset[Value]
    keys: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a container or a text, before its call."""

    owner: Items | Text
    name: str


Value = External | Sdk | Module | Function | Class | Instance | Super | Text | Items | Method
Values = frozenset[Value]

NOTHING: Values = frozenset()
UNKNOWN_PART = "\0"


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
