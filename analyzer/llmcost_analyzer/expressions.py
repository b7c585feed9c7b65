"""What each kind of expression may be: one function a tag."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from llmcost_analyzer import declared, imports
from llmcost_analyzer.containers import by_key, elements_of
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.values import (
    NOTHING,
    Class,
    External,
    Function,
    Instance,
    Items,
    Ref,
    Sdk,
    Value,
    Values,
    combined,
    in_order,
    in_turn,
    longer,
)

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator


def _attr(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    out: set[Value] = set()
    for base in in_turn(evaluator.value(ref, expr[1])):
        out |= evaluator.attribute(base, expr[2])
    return frozenset(out)


def _call(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    out: set[Value] = set()
    for func in in_turn(evaluator.value(ref, expr[1])):
        out |= evaluator.result(ref, func, expr)
    return frozenset(out)


def _item(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    key = expr[2]
    out: set[Value] = set()
    for base in in_turn(evaluator.value(ref, expr[1])):
        if isinstance(base, Items):
            out |= by_key(base, key)
        elif isinstance(base, External):
            named = evaluator.attribute(base, str(key[1])) if key is not None and key[0] == "text" else NOTHING
            out |= named or {External(longer(base.path, "[]"))}
        elif isinstance(base, Class):
            out.add(base)
        elif isinstance(base, Instance):
            out |= evaluator.method_result(base, "__getitem__")
        elif isinstance(base, Sdk):
            kind = evaluator.sinks.kinds[base.kind]
            out.add(Sdk(base.kind, kind.longer(base.path, "[]"), base.origin))
    return frozenset(out)


def _any(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return evaluator.union(ref, expr[1])


def _list(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    values: set[Value] = set()
    for element in expr[1]:
        if element is not None and element[0] == "star":
            values |= elements_of(evaluator.value(ref, element[1]))
        else:
            values |= evaluator.value(ref, element)
    return frozenset((Items(frozenset(values)),))


def _dict(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    values: set[Value] = set()
    keys: list[tuple[str, Value]] = []
    for key, element in zip(expr[1], expr[2], strict=True):
        found = evaluator.value(ref, element)
        found = elements_of(found) if key is None else found
        values |= found
        if key is not None and key[0] == "text":
            keys.extend((key[1], value) for value in sorted(found, key=in_order))
    return frozenset((Items(frozenset(values), tuple(keys)),))


def _join(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return combined(evaluator.value(ref, part) for part in expr[1])


def _pipe(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    """``a | b``: a chain where one of them is a model, else either (unions of types and dicts)."""
    left, right = evaluator.value(ref, expr[1]), evaluator.value(ref, expr[2])
    both = left | right
    pipes = [evaluator.sinks.kinds[v.kind].pipes for v in both if isinstance(v, Sdk)]
    if "model" in pipes:
        return frozenset((Sdk("langchain.chain", "", evaluator.origins.of(ref, expr)),))
    if "part" in pipes:
        unknown = (not left and _may_be_model(expr[1])) or (not right and _may_be_model(expr[2]))
        kind = "langchain.chain" if unknown else "langchain.part"
        return frozenset((Sdk(kind, "", evaluator.origins.of(ref, expr)),))
    return both


def _lambda(_evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return frozenset((Function((ref[0], expr[1])),))


def _def(_evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return frozenset((Function((ref[0], expr[1])),))


def _class(_evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return frozenset((Class((ref[0], expr[1])),))


def _each(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return evaluator.elements(evaluator.value(ref, expr[1]))


def _nth(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    inner = expr[1]
    if inner is not None and inner[0] == "list" and expr[2] < len(inner[1]):
        return evaluator.value(ref, inner[1][expr[2]])
    return evaluator.elements(evaluator.value(ref, inner))


def _enter(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    out: set[Value] = set()
    for value in in_turn(evaluator.value(ref, expr[1])):
        if isinstance(value, Items):
            out |= value.values
        elif isinstance(value, Instance):
            out |= evaluator.method_result(value, "__enter__") | evaluator.method_result(value, "__aenter__") or {value}
        else:
            out.add(value)
    return frozenset(out)


def _typed(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return declared.annotated(evaluator, ref, expr[1])


def _in(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return evaluator.value((ref[0], expr[1]), expr[2])


def _imported_module(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return imports.module_of(evaluator, expr[1], ref[0])


def _member(evaluator: Evaluator, ref: Ref, expr: Expr) -> Values:
    return evaluator.shared(
        ("member", ref[0], expr[1], expr[2]), lambda: imports.member_of(evaluator, expr[1], expr[2], ref[0])
    )


def _may_be_model(expr: Expr | None) -> bool:
    """An operand of a chain of which nothing is known: a name or attribute may be a model."""
    return expr is not None and expr[0] in ("name", "attr", "call", "item")


HANDLERS: Final[dict[str, Callable[[Evaluator, Ref, Expr], Values]]] = {
    "attr": _attr,
    "call": _call,
    "item": _item,
    "any": _any,
    "list": _list,
    "dict": _dict,
    "join": _join,
    "pipe": _pipe,
    "lambda": _lambda,
    "def": _def,
    "class": _class,
    "each": _each,
    "nth": _nth,
    "enter": _enter,
    "typed": _typed,
    "in": _in,
    "module": _imported_module,
    "member": _member,
}
"""How each kind of expression is worked out, by its tag."""
