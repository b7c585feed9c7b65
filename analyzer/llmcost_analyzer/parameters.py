"""What a parameter may be: the receiver of a method, by annotation, by default, by what callers pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from llmcost_analyzer import declared
from llmcost_analyzer import passing as known
from llmcost_analyzer.classes import OF_CLASS, STATIC, decorator_names
from llmcost_analyzer.facts import Expr, Param, Scope, callee_name, dotted
from llmcost_analyzer.values import NOTHING, Class, Function, Instance, Items, Ref, Sdk, Value, Values, in_turn

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator

_MOST_CALLERS: Final = 40
"""Calls of a function that are looked at for one parameter."""
_MOST_LOOKED_AT: Final = 150
"""Calls with the name of a function that are looked at to find those."""
_MOST_HANDED: Final = 20
_BY_KEYWORD: Final = 10_000
"""A place that no argument has: the parameter is given by name only."""
_CALLED: Final = ("__call__", "forward")
_MAKERS: Final = ("__init__", "__new__", "__post_init__")


def values(evaluator: Evaluator, ref: Ref, param: Param) -> Values:
    """What a parameter of a function may be."""
    receiver = _receiver(evaluator, ref, param)
    if receiver is not None:
        return frozenset((receiver,))
    outside = evaluator.index.parent(ref) or ref
    annotated = declared.annotated(evaluator, ref, param.annotation) if param.annotation is not None else NOTHING
    out = set(annotated) | evaluator.value(outside, param.default)
    if evaluator.classes.known and not any(isinstance(v, (Instance, Sdk)) for v in annotated):
        for value in _passed(evaluator, ref, param):
            out |= value
    return frozenset((Items(frozenset(out)),)) if param.star else frozenset(out)


def _receiver(evaluator: Evaluator, ref: Ref, param: Param) -> Value | None:
    """``self`` or ``cls`` of a method; None for other parameters."""
    scope = evaluator.index.scope(ref)
    parent = evaluator.index.parent(ref)
    if parent is None or not scope.params or scope.params[0] is not param or scope.kind == "lambda":
        return None
    if evaluator.index.scope(parent).kind != "class":
        return None
    names = decorator_names(scope)
    if names & STATIC:
        return None
    if names & OF_CLASS or param.name == "cls":
        return Class(parent)
    return Instance(parent)


def _passed(evaluator: Evaluator, ref: Ref, param: Param) -> Iterator[Values]:
    """What callers pass for a parameter."""
    scope = evaluator.index.scope(ref)
    at = next(i for i, p in enumerate(scope.params) if p is param)
    owner = _class_around(evaluator, ref)
    shift = 1 if owner is not None and not decorator_names(scope) & STATIC else 0
    for caller, call in _callers(evaluator, ref, scope, owner):
        place = at if _unbound(evaluator, caller, call) else at - shift
        yield evaluator.argument(caller, call, _BY_KEYWORD if param.keyword_only else place, param.name)
    yield from _handed_on(evaluator, ref, scope, param, at - shift)


def _class_around(evaluator: Evaluator, ref: Ref) -> Ref | None:
    parent = evaluator.index.parent(ref)
    return parent if parent is not None and evaluator.index.scope(parent).kind == "class" else None


def _callers(evaluator: Evaluator, ref: Ref, scope: Scope, owner: Ref | None) -> Iterator[tuple[Ref, Expr]]:
    """Calls of a function, a few of them; of those with a common name, the ones in its own file are looked at first."""
    names = [scope.name]
    if owner is not None and scope.name in _MAKERS:
        names += ["cls", *(evaluator.index.scope(r).name for r in (owner, *evaluator.classes.subclasses(owner)))]
    if owner is not None and scope.name in _CALLED:
        names += sorted(evaluator.index.made_as.get(evaluator.index.scope(owner).name, ()))
    kept = sorted(evaluator.index.made_as.get(scope.name, set()) - known.COMMON_NAMES - {*names})
    found, ambiguous = 0, _ambiguous(evaluator, scope, owner)
    for caller, call in itertools.islice(_named_calls(evaluator, ref, [*names, *kept]), _MOST_LOOKED_AT):
        sure = not ambiguous and callee_name(call[1]) not in kept
        if caller != ref and (sure or _calls(evaluator, caller, call, ref, owner)):
            yield caller, call
            found += 1
            if found >= _MOST_CALLERS:
                return


def _named_calls(evaluator: Evaluator, ref: Ref, names: list[str]) -> Iterator[tuple[Ref, Expr]]:
    for name in names:
        calls = evaluator.index.calls.get(name, ())
        if len(calls) > _MOST_LOOKED_AT:
            calls = [item for item in calls if item[0][0] == ref[0]] + [item for item in calls if item[0][0] != ref[0]]
        yield from calls


def _unbound(evaluator: Evaluator, caller: Ref, call: Expr) -> bool:
    """``Base.__init__(self, x)``: the receiver stands among the arguments."""
    func = call[1]
    if func is None or func[0] != "attr" or func[2] not in _MAKERS:
        return False
    return any(isinstance(v, Class) for v in evaluator.value(caller, func[1]))


def _calls(evaluator: Evaluator, caller: Ref, call: Expr, ref: Ref, owner: Ref | None) -> bool:
    """Whether a call with the name of a function, which others have too, is a call of this one."""
    scope = evaluator.index.scope(ref)
    values = evaluator.value(caller, call[1])
    for value in in_turn(values):
        if isinstance(value, Function) and value.ref == ref:
            return True
        if scope.name in _CALLED and isinstance(value, Instance) and owner is not None:
            return owner in evaluator.classes.lineage(value.ref)
        if owner is not None and isinstance(value, Class) and owner in evaluator.classes.lineage(value.ref):
            return True
    return False


def _ambiguous(evaluator: Evaluator, scope: Scope, owner: Ref | None) -> bool:
    name = scope.name
    if name in (*_MAKERS, *_CALLED) and owner is not None:
        return True
    return len(evaluator.index.defs.get(name, ())) > 1 or name in known.COMMON_NAMES


def _handed_on(evaluator: Evaluator, ref: Ref, scope: Scope, param: Param, at: int) -> Iterator[Values]:
    """Arguments that travel with a function: ``partial(f, llm)``, ``to_thread(f, client)``."""
    for caller, call, place in evaluator.index.passed.get(scope.name, ())[:_MOST_HANDED]:
        name = dotted(call[1]).rsplit(".", 1)[-1]
        if name not in known.HANDS_ON or place < 0:
            continue
        if any(isinstance(v, Function) and v.ref == ref for v in in_turn(evaluator.value(caller, call[2][place]))):
            yield evaluator.argument(caller, call, place + 1 + at, param.name)
