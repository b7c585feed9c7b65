"""What calling a value gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmcost_analyzer import passing as known
from llmcost_analyzer import passing_results
from llmcost_analyzer.containers import by_key
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.values import (
    NOTHING,
    UNKNOWN_PART,
    Class,
    External,
    Function,
    Instance,
    Items,
    Method,
    Ref,
    Sdk,
    Text,
    Value,
    Values,
    combined,
    longer,
)

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator

_SPLITS: Final = frozenset({"split", "rsplit", "rpartition"})
_BLANK: Final = re.compile(r"\s")
_FIELD: Final = re.compile(r"\{(\w*)[^{}]*\}")


def result(evaluator: Evaluator, ref: Ref, func: Value, call: Expr) -> Values:
    """What calling ``func`` gives."""
    if isinstance(func, Function):
        return evaluator.returned(func.ref)
    if isinstance(func, Class):
        return frozenset((Instance(func.ref, exact=True),))
    if isinstance(func, External):
        return _external_result(evaluator, ref, func, call)
    if isinstance(func, Sdk):
        return _sdk_result(evaluator, ref, func, call)
    if isinstance(func, Instance):
        return evaluator.method_result(func, "__call__") | evaluator.method_result(func, "forward")
    if isinstance(func, Method):
        return _container_result(evaluator, ref, func, call)
    return NOTHING


def _external_result(evaluator: Evaluator, ref: Ref, func: External, call: Expr) -> Values:
    path = func.path
    special = passing_results.RESULTS.get(path)
    if special is not None:
        return special(evaluator, ref, call)
    if path in evaluator.sinks.factories:
        return _by_argument(evaluator, ref, call)
    kind = evaluator.sinks.made(path)
    if kind is not None:
        return frozenset((Sdk(kind, "", evaluator.origins.of(ref, call)),))
    last = path.rsplit(".", 1)[-1]
    if last in known.GIVE_INSTANCES and len(call[2]) == 1 and path.count(".") > 1:
        asked = evaluator.value(ref, call[2][0])
        if asked and all(isinstance(value, Class) for value in asked):
            return frozenset(Instance(value.ref) for value in asked if isinstance(value, Class))
    if last in known.GIVE_FIRST_ARGUMENT:
        return evaluator.union(ref, call[2][:1]) or frozenset((External(longer(path, "()")),))
    return frozenset((External(_short(longer(path, "()"))),))


def _sdk_result(evaluator: Evaluator, ref: Ref, func: Sdk, call: Expr) -> Values:
    kind = evaluator.sinks.kinds[func.kind]
    path = kind.longer(func.path, "()")
    if path in kind.same:
        return frozenset((Sdk(func.kind, "", func.origin),))
    if path in kind.gives:
        return frozenset((Sdk(kind.gives[path], "", evaluator.origins.of(ref, call)),))
    if func.path in evaluator.sinks.factories or kind.name == "boto-session":
        return _by_argument(evaluator, ref, call)
    return frozenset((Sdk(func.kind, _short(path), func.origin),))


def _container_result(evaluator: Evaluator, ref: Ref, func: Method, call: Expr) -> Values:
    owner = func.owner
    if isinstance(owner, Text):
        if func.name in _SPLITS:
            return frozenset((Items(_split(owner.text, call)),))
        if func.name == "replace" and len(call[2]) > 1 and _literal(call[2][0]) and _literal(call[2][1]):
            return frozenset((Text(owner.text.replace(call[2][0][1], call[2][1][1])),))
        if func.name in known.SAME_TEXT:
            return frozenset((owner,))
        return _formatted(evaluator, ref, owner.text, call) if func.name == "format" else NOTHING
    if func.name in known.GIVE_ELEMENTS:
        key = call[2][0] if call[2] else None
        found = by_key(owner, key)
        return found | evaluator.union(ref, call[2][1:2])
    if func.name in known.GIVE_CONTAINER:
        return frozenset((owner,))
    return NOTHING


def _by_argument(evaluator: Evaluator, ref: Ref, call: Expr) -> Values:
    named = [value for key, value in call[3] if key == "service_name"]
    out: set[Value] = set()
    for value in evaluator.union(ref, [*call[2][:1], *named]):
        if isinstance(value, Text) and value.text in evaluator.sinks.by_argument:
            out.add(Sdk(evaluator.sinks.by_argument[value.text], "", evaluator.origins.of(ref, call)))
    return frozenset(out) or frozenset((External("boto3.client()"),))


def _formatted(evaluator: Evaluator, ref: Ref, template: str, call: Expr) -> Values:
    """``"{}/chat".format(base)``; of a text with blanks (no address) only what stands before a field."""
    if _BLANK.search(template):
        return frozenset((Text(template.split("{", maxsplit=1)[0] + UNKNOWN_PART),))
    given, plain = dict(call[3]), iter(call[2])
    parts: list[Values] = []
    for at, piece in enumerate(_FIELD.split(template)):
        if at % 2 == 0:
            parts.append(frozenset((Text(piece),)))
        elif piece.isdigit():
            parts.append(evaluator.union(ref, call[2][int(piece) : int(piece) + 1]))
        else:
            parts.append(evaluator.value(ref, given.get(piece) if piece else next(plain, None)))
    return combined(parts)


def _literal(expr: Expr | None) -> bool:
    return expr is not None and expr[0] == "text"


def _short(path: str) -> str:
    return path if len(path) < 160 else path[:160]


def _split(text: str, call: Expr) -> Values:
    """The parts of ``text.split(".")``; of ``rsplit`` and ``partition`` the two that matter: head and last."""
    if call[2] and call[2][0] == ("text", ".") and UNKNOWN_PART not in text:
        head, _, last = text.rpartition(".")
        return frozenset((Text(head), Text(last)))
    return NOTHING
