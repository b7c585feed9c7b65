"""Names for the places where objects are made: the same as long as the code there says the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.index import Index
from llmcost_analyzer.plain import content, short
from llmcost_analyzer.values import Ref

_Same = list[tuple[str, Expr]]


class Origins:
    """Names places by their scope and what stands there; of calls that say the same, by which of them it is."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._made: dict[str, tuple[Ref, Expr]] = {}
        self._calls: dict[tuple[Ref, str], _Same] = {}

    def of(self, ref: Ref, expr: Expr) -> str:
        """The name for the place of an expression in a scope."""
        said = short(content(expr, self._index.keys(ref[0])))
        origin = f"{self._index.place(ref)}:{said}"
        if expr[0] == "call":
            self._index.notes.current.add(("origin", origin))
            same = (call for other, call in self._named_calls(ref, callee_name(expr[1])) if other == said)
            origin += "".join(f".{at}" for at, call in enumerate(same) if call is expr)
        self._made[origin] = (ref, expr)
        return origin

    def made(self, origin: str) -> tuple[Ref, Expr] | None:
        """The scope and the expression that a name is for."""
        if origin not in self._made:
            found = self._find(origin)
            if found is None:
                return None
            self._made[origin] = found
        return self._made[origin]

    def _find(self, origin: str) -> tuple[Ref, Expr] | None:
        """The expression that says what the name says; of a scan before this one its place may be all that is known."""
        place, _, mark = origin.rpartition(":")
        said, _, number = mark.partition(".")
        try:
            ref = self._index.at(place)
        except KeyError:
            return None  # the origin of a type or class
        scopes = self._index.files[ref[0]].scopes
        keys = self._index.keys(ref[0])
        if number:
            fitting = [call for call in scopes[ref[1]].calls if short(content(call, keys)) == said]
            return ref, fitting[int(number)]
        everything = (part for scope in scopes for part in _expressions(_parts(scope)))
        return next(((ref, part) for part in everything if short(content(part, keys)) == said), None)

    def _named_calls(self, ref: Ref, name: str) -> _Same:
        """The calls of a scope with a name, and what each says."""
        found = self._calls.get((ref, name))
        if found is None:
            keys = self._index.keys(ref[0])
            calls = [call for call in self._index.files[ref[0]].scopes[ref[1]].calls if callee_name(call[1]) == name]
            found = self._calls[ref, name] = [(short(content(call, keys)), call) for call in calls]
        return found


def _parts(scope: Any) -> Iterator[Any]:
    """All expressions that a scope holds."""
    yield from (scope.binds.values(), scope.sets, scope.puts, scope.returns, scope.calls, scope.decorators, scope.bases)
    yield from ((param.default, param.annotation) for param in scope.params)


def _expressions(value: Any) -> Iterator[Expr]:
    """Chains and calls inside of expressions."""
    if isinstance(value, tuple) and value and value[0] in ("pipe", "call"):
        yield value
    if isinstance(value, (str, int, float, type(None))):
        return
    for part in value:
        yield from _expressions(part)
