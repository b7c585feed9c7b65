"""What calls of the standard library and of well-known helpers give; which call is which stands in ``passing.toml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from llmcost_analyzer import imports, passing
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.values import (
    NOTHING,
    Class,
    External,
    Function,
    Instance,
    Items,
    Ref,
    Super,
    Text,
    Value,
    Values,
    in_turn,
)

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator

Special = Callable[["Evaluator", Ref, Expr], Values]


def _first(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    return evaluator.union(ref, call[2][:1])


def _second(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    return evaluator.union(ref, call[2][1:2])


def _all_items(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    values: set[Value] = set()
    for arg in call[2]:
        star = arg is not None and arg[0] == "star"
        found = evaluator.value(ref, arg[1] if star and arg is not None else arg)
        values |= evaluator.elements(found) if star else found
    return frozenset((Items(frozenset(values)),))


def _zipped(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    values: set[Value] = set()
    for arg in call[2]:
        values |= evaluator.elements(evaluator.value(ref, arg))
    return frozenset((Items(frozenset((Items(frozenset(values)),))),))


def _element(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    return evaluator.elements(_first(evaluator, ref, call))


def _super(evaluator: Evaluator, ref: Ref, _call: Expr) -> Values:
    at: Ref | None = ref
    while at is not None:
        if evaluator.index.scope(at).kind == "class":
            return frozenset((Super(at),))
        at = evaluator.index.parent(at)
    return NOTHING


def _getattr(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    out: set[Value] = set(evaluator.union(ref, call[2][2:3]))
    names = sorted(v.text for v in _second(evaluator, ref, call) if isinstance(v, Text))
    for base in in_turn(_first(evaluator, ref, call)):
        for name in names:
            out |= evaluator.attribute(base, name)
    return frozenset(out)


def _type(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    return frozenset(Class(v.ref) for v in _first(evaluator, ref, call) if isinstance(v, Instance))


def _fields(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    """``asdict(x)``: the fields of an object by their names."""
    keys: list[tuple[str, Value]] = []
    for value in in_turn(_first(evaluator, ref, call)):
        if isinstance(value, Instance):
            for name in evaluator.classes.fields(value.ref):
                keys += [(name, item) for item in in_turn(evaluator.attribute(value, name))]
    return frozenset((Items(frozenset(item for _, item in keys), tuple(keys)),))


def _default(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    """``os.getenv(name, default)``: the default, if any."""
    default = [value for key, value in call[3] if key == "default"]
    return evaluator.union(ref, [*call[2][1:2], *default]) or frozenset((External("os.getenv()"),))


def _called(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    """``to_thread(f, ...)``: what ``f`` returns."""
    out: set[Value] = set()
    for func in in_turn(_first(evaluator, ref, call)):
        out |= evaluator.result(ref, func, call)
    return frozenset(out)


def _mapped(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    return frozenset((Items(_called(evaluator, ref, call)),))


def _joined(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    heads = sorted(v.text for v in _first(evaluator, ref, call) if isinstance(v, Text)) or ["\0"]
    tails = sorted(v.text for v in _second(evaluator, ref, call) if isinstance(v, Text)) or ["\0"]
    return frozenset(Text(f"{head.rstrip('/')}/{tail.lstrip('/')}") for head in heads[:3] for tail in tails[:3])


def _texts(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    values = evaluator.union(ref, [*call[2], *(value for _, value in call[3])])
    return frozenset(v for v in values if isinstance(v, (Text, Function)))


def _imported(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    """``import_module("a.b")``; a class's full name gives the class."""
    out: set[Value] = set()
    for value in in_turn(_first(evaluator, ref, call)):
        if isinstance(value, Text) and value.text.replace(".", "").replace("_", "").isalnum():
            head, _, last = value.text.rpartition(".")
            found = imports.member_of(evaluator, head, last, ref[0]) if head else NOTHING
            out |= found or imports.module_of(evaluator, value.text, ref[0])
    return frozenset(out)


_BY_NAME: Final[Mapping[str, Special]] = {
    "first": _first,
    "second": _second,
    "all_items": _all_items,
    "zipped": _zipped,
    "element": _element,
    "super": _super,
    "getattr": _getattr,
    "type": _type,
    "default": _default,
    "fields": _fields,
    "called": _called,
    "mapped": _mapped,
    "joined": _joined,
    "texts": _texts,
    "imported": _imported,
}
RESULTS: Final[Mapping[str, Special]] = {
    path: _BY_NAME[name] for name, paths in passing.RESULTS.items() for path in paths
}
"""Access paths of callables to what their call gives."""
