"""What a value that is declared with an annotation is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmcost_analyzer import passing as known
from llmcost_analyzer.facts import Expr, dotted
from llmcost_analyzer.values import NOTHING, Class, External, Instance, Items, Ref, Sdk, Value, Values, in_turn

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator


def annotated(evaluator: Evaluator, ref: Ref, annotation: Expr | None) -> Values:
    """What a value declared with this annotation is."""
    if annotation is None:
        return NOTHING
    tag = annotation[0]
    if tag == "pipe":
        return annotated(evaluator, ref, annotation[1]) | annotated(evaluator, ref, annotation[2])
    if tag == "item":
        return _generic(evaluator, ref, annotation)
    if tag == "text":
        return _named_type(evaluator, ref, str(annotation[1]))
    if tag in ("name", "attr"):
        out: set[Value] = set()
        for value in in_turn(evaluator.value(ref, annotation)):
            out |= _instance_of(evaluator, value)
        return frozenset(out)
    return NOTHING


def _named_type(evaluator: Evaluator, ref: Ref, text: str) -> Values:
    """A type whose name stands in quotes inside another annotation."""
    name = text.strip()
    if not name.replace("_", "").replace(".", "").isalnum():
        return NOTHING
    parts = name.split(".")
    expr: Expr = ("name", parts[0])
    for part in parts[1:]:
        expr = ("attr", expr, part)
    return annotated(evaluator, ref, expr)


def _generic(evaluator: Evaluator, ref: Ref, annotation: Expr) -> Values:
    head = dotted(annotation[1]).rsplit(".", 1)[-1]
    inner = annotation[2]
    options = inner[1] if inner is not None and inner[0] == "list" else (inner,)
    if head in known.TRANSPARENT_TYPES:
        options = options[:1] if head == "Annotated" else options
        return frozenset().union(*(annotated(evaluator, ref, option) for option in options))
    if head in known.TYPE_OF_CLASS:
        return frozenset(
            v for option in options for v in evaluator.value(ref, option) if isinstance(v, (Class, External))
        )
    if head in known.CONTAINER_TYPES:
        values: Values = frozenset().union(*(annotated(evaluator, ref, option) for option in options))
        return frozenset((Items(values),))
    return annotated(evaluator, ref, annotation[1])


def _instance_of(evaluator: Evaluator, value: Value) -> Values:
    if isinstance(value, Class):
        return frozenset((Instance(value.ref),))
    if isinstance(value, External):
        kind = evaluator.sinks.annotated(value.path)
        if kind is not None:
            return frozenset((Sdk(kind, "", f"type:{value.path}"),))
        if value.path.startswith(("builtins.", "typing.")):
            return NOTHING
        return frozenset((External(f"{value.path}()"),))
    if isinstance(value, Items):
        return value.values
    if isinstance(value, Sdk):
        return frozenset((value,))
    return NOTHING
