"""Dataclasses that are cheap to define.

``dataclasses.dataclass`` writes and compiles up to six methods for each class, which takes half a millisecond, and a
program that is observed defines fifty classes before its first call. Here what objects need now and then is shared by
all classes: comparison, hash, text, the refusal to be changed. The ``__init__`` of a class is compiled when its first
object is made. For type checkers, ``fields``, ``replace`` and ``asdict`` these are the dataclasses that they know.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, eq: bool = True, kw_only: bool = False, slots: bool = False) -> Any:
        """As ``dataclasses.dataclass`` with these arguments. Bases that are dataclasses are for that one."""

        def decorated(cls: type[Any]) -> type[Any]:
            given = frozenset(vars(cls))
            made = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only, slots=slots)(cls)
            params = made.__dataclass_params__
            params.init = params.repr = True
            params.eq, params.frozen = eq, frozen
            for name, method in _methods(made, frozen=frozen, eq=eq):
                if name not in given:
                    setattr(made, name, method)
            return made

        return decorated


__all__ = ["dataclass"]

_store: Final = object.__setattr__


class _Signature:
    """What a class is called with, for ``inspect``; worked out when somebody asks."""

    def __get__(self, made: Any, cls: type[Any]) -> inspect.Signature:
        init = cls.__init__ if not hasattr(cls.__init__, "pending") else _init(cls)
        signature = inspect.signature(init)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def _methods(cls: Any, *, frozen: bool, eq: bool) -> list[tuple[str, Any]]:
    fields: tuple[Field[Any], ...] = tuple(cls.__dataclass_fields__.values())
    compared = [each.name for each in fields if each.compare]
    key: Callable[[Any], Any] = attrgetter(*compared) if compared else type
    found: list[tuple[str, Any]] = [("__init__", _pending(cls)), ("__signature__", _Signature()), ("__repr__", _repr)]
    if eq:
        found.append(("__eq__", _equal(key)))
        found.append(("__hash__", (lambda self: hash(key(self))) if frozen else None))
    if frozen:
        found += [("__setattr__", _refuse), ("__delattr__", _refuse)]
        found += [("__getstate__", _state), ("__setstate__", _restore)]
    return found


def _pending(cls: Any) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: N807 - it becomes a class's own
        if cls.__init__ is __init__:
            cls.__init__ = _init(cls)
        cls.__init__(self, *args, **named)

    __init__.pending = True  # type: ignore[attr-defined]
    __init__.__annotations__ = {each.name: each.type for each in dataclasses.fields(cls) if each.init}
    return __init__


def _init(cls: Any) -> Callable[..., None]:
    """The ``__init__`` of a class, compiled."""
    parts = parts_of(cls)
    frozen = cls.__dataclass_params__.frozen
    lines = [
        f"_store(self, {name!r}, {value})" if frozen else f"self.{name} = {value}"
        for name, value in parts.values.items()
    ]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n    ".join(lines or ["pass"])
    scope: dict[str, Any] = {**parts.scope, "_store": _store}
    exec(f"def __init__({', '.join(['self', *parts.parameters])}):\n    {body}\n", scope)  # noqa: S102 - as dataclasses does
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {each.name: each.type for each in dataclasses.fields(cls) if each.init} | {"return": None}
    return init


class Parts(NamedTuple):
    """What the source of a function that makes a record is put together from.

    Attributes:
        parameters: the texts of its parameters, those by name behind a star.
        values: by field, the text of what it is set to.
        scope: what these texts speak of.
    """

    parameters: tuple[str, ...]
    values: dict[str, str]
    scope: dict[str, Any]


def parts_of(cls: Any) -> Parts:
    """The parts for a dataclass."""
    scope: dict[str, Any] = {}
    positional: list[str] = []
    by_name: list[str] = []
    values: dict[str, str] = {}
    for each in dataclasses.fields(cls):
        name, given = each.name, f"_default_{each.name}"
        scope[given] = default = each.default if each.default_factory is MISSING else each.default_factory
        made = f"{given}()" if each.default_factory is not MISSING else given
        if each.init:
            (by_name if each.kw_only else positional).append(name if default is MISSING else f"{name}={given}")
            values[name] = name if made == given else f"{made} if {name} is {given} else {name}"
        elif default is not MISSING:
            values[name] = made
    return Parts((*positional, *(["*", *by_name] if by_name else [])), values, scope)


def _equal(key: Callable[[Any], Any]) -> Callable[[Any, object], Any]:
    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return key(self) == key(other)

    return __eq__


def _repr(self: Any) -> str:
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse(self: Any, name: str, *_value: object) -> None:
    raise FrozenInstanceError(f"cannot change {name!r} of {self.__class__.__qualname__}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        _store(self, each.name, value)
