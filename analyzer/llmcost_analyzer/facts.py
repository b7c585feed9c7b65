"""What one file says, as plain data: its scopes, and in each scope what is bound, returned, called and passed on.

Facts are made once a file, need no other file, and are cached; the call graph is built from facts alone. Expressions
are small tuples, ``(tag, ...)``, so that they pickle fast. An expression that can hold neither a client nor a callable
nor text is ``None``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Expr = tuple[Any, ...]
"""One of:

``("name", id)``, ``("attr", base, name)``, ``("call", func, args, keywords, line)``, ``("item", base, key)``,
``("text", str)``, ``("const", value)``, ``("join", parts)`` (an f-string or ``+`` of text),
``("pipe", left, right)``, ``("any", options)``, ``("list", elements)``, ``("dict", keys, values)``,
``("star", value)``, ``("lambda", scope)``, ``("each", iterable)`` (an element of it), ``("nth", value, index)``
(unpacking), ``("in", scope, value)`` (bound from an inner scope), ``("enter", manager)`` (what ``with`` binds),
``("typed", annotation)`` (declared, never assigned),
``("def", scope)``, ``("class", scope)``, ``("module", name)``,
``("member", module, name)`` (``from module import name``).
"""

ScopeKind = Literal["module", "function", "lambda", "class"]

_NO_VALUES: Final = frozenset({"def", "class", "module", "member"})
_IMPORTS: Final = frozenset({"module", "member"})

MAX_TEXT: Final = 4000
"""Longest text constant that is kept, in characters; the head of a prompt says what it is for."""


@dataclass(slots=True)
class Param:
    """A parameter: name, annotation, default; ``star`` is 1 for ``*args``, 2 for ``**kwargs``."""

    name: str
    annotation: Expr | None
    default: Expr | None
    star: int = 0
    keyword_only: bool = False


@dataclass(slots=True)
class Scope:
    """A code object of the file: the module, a class body, a function or a lambda.

    Attributes:
        qualname: as at run time, with ``<locals>`` folded; ``<module>`` for the module.
        first: line of the first decorator or of the ``def``; what ``co_firstlineno`` gives.
        binds: name to the expressions that are assigned to it here.
        sets: ``(base, attribute, value)`` of each assignment to an attribute.
        puts: ``(name, content)`` of what is put into the container that a name holds.
        calls: every call of this body, comprehensions included, nested functions not.
        reads: names of attributes that are read, for properties.
        texts: text constants of the body, docstring left out.
        values: names of variables and parameters, which may hold something callable.
    """

    index: int
    parent: int
    kind: ScopeKind
    name: str
    qualname: str
    line: int
    first: int
    end: int
    docstring: str = ""
    params: list[Param] = field(default_factory=list)
    decorators: list[Expr | None] = field(default_factory=list)
    bases: list[Expr | None] = field(default_factory=list)
    returns_type: Expr | None = None
    binds: dict[str, list[Expr | None]] = field(default_factory=dict)
    sets: list[tuple[Expr, str, Expr | None]] = field(default_factory=list)
    puts: list[tuple[str, Expr]] = field(default_factory=list)
    returns: list[Expr | None] = field(default_factory=list)
    calls: list[Expr] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    outer_names: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)


@dataclass(slots=True)
class FileFacts:
    """All scopes of a file; ``scopes[0]`` is the module.

    Attributes:
        stars: the modules of ``from m import *``.
        roots: first parts of all modules that are imported.
        named: SDKs of the table that texts name, as a module that is imported by a text.
    """

    path: str
    scopes: list[Scope]
    stars: list[str] = field(default_factory=list)
    lines: int = 0
    roots: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)


def value_names(scope: Scope) -> set[str]:
    """Names of variables and parameters of a scope, which may hold something callable."""
    names = {param.name for param in scope.params}
    for name, exprs in scope.binds.items():
        if any(expr is not None and expr[0] not in _NO_VALUES for expr in exprs):
            names.add(name)
    return names


def imported_modules(scope: Scope) -> Iterator[str]:
    """The modules that a scope imports, or imports from."""
    for exprs in scope.binds.values():
        yield from (expr[1] for expr in exprs if expr is not None and expr[0] in _IMPORTS)


def first_part(module: str) -> str:
    """``a`` of ``a.b.c``."""
    return module.split(".", maxsplit=1)[0]


def kept_names(scope: Scope) -> Iterator[tuple[str, str]]:
    """What is kept under another name where others find it.

    ``(send, on_send)`` for ``self.on_send = send``, for a field, a default or an argument ``on_send=send``.
    """
    kept = [(name, value) for _, name, value in scope.sets]
    kept += [(param.name, param.default) for param in scope.params]
    kept += [(key, value) for call in scope.calls for key, value in call[3] if key is not None]
    if scope.kind != "function":
        kept += [(name, value) for name, values in scope.binds.items() for value in values]
    for name, value in kept:
        if value is not None and value[0] in ("name", "attr") and value[-1] != name:
            yield str(value[-1]), name


def callee_name(func: Expr | None) -> str:
    """The last name of what is called: ``create`` for ``client.messages.create``; ``()`` where there is none."""
    if func is not None and func[0] in ("name", "attr"):
        return str(func[-1])
    return "()"


def dotted(expr: Expr | None) -> str:
    """``a.b.c`` for a chain of names, else an empty text."""
    if expr is None:
        return ""
    if expr[0] == "name":
        return str(expr[1])
    if expr[0] == "attr":
        base = dotted(expr[1])
        return f"{base}.{expr[2]}" if base else ""
    return ""
