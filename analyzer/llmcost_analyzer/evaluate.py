"""What value is this expression? A small abstract evaluator over imports, assignments, annotations, returns and calls.

It follows values through the project, not control flow: a name stands for everything that is ever assigned to it. An
empty answer means "not known".
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Final

from llmcost_analyzer import attributes, declared, parameters, results
from llmcost_analyzer.answers import Answers
from llmcost_analyzer.classes import Classes
from llmcost_analyzer.containers import elements_of, merged
from llmcost_analyzer.expressions import HANDLERS
from llmcost_analyzer.facts import Expr, Param, Scope
from llmcost_analyzer.index import Index
from llmcost_analyzer.layers import Kept
from llmcost_analyzer.origins import Origins
from llmcost_analyzer.packed import Key
from llmcost_analyzer.sinks import Sinks
from llmcost_analyzer.solve import DEPTH
from llmcost_analyzer.values import (
    NOTHING,
    Class,
    External,
    Function,
    Instance,
    Items,
    Module,
    Ref,
    Sdk,
    Text,
    Value,
    Values,
    in_order,
    in_turn,
)

FRAMES: Final = 50 * DEPTH
"""Python's limit of recursion that this takes."""
_MOST_VALUES: Final = 24
"""A name with more values than this is a general container; the first ones stand for it."""


_USEFUL: Final = (Sdk, Function, Class, Instance, Items, Module, Text)


def _usefulness(value: Value) -> tuple[int, Ref, str]:
    """Order of values, those that may lead to a call first."""
    rank = next((at for at, kind in enumerate(_USEFUL) if isinstance(value, kind)), len(_USEFUL))
    return rank, *in_order(value)


def _fewer(values: Values) -> Values:
    """The values, the most useful ones where there are many."""
    return values if len(values) <= _MOST_VALUES else frozenset(sorted(values, key=_usefulness)[:_MOST_VALUES])


class Evaluator:
    """Answers questions about expressions; every answer is kept."""

    def __init__(self, index: Index, sinks: Sinks, before: Kept | None = None) -> None:
        self.index = index
        self.sinks = sinks
        self.answers = Answers(index, before)
        self.classes = Classes(self)
        self.origins = Origins(index)

    # --- asking -------------------------------------------------------------------------------------------------

    def value(self, ref: Ref, expr: Expr | None) -> Values:
        """What an expression of a scope may be."""
        if expr is None:
            return NOTHING
        tag = expr[0]
        if tag == "text":
            return frozenset((Text(expr[1]),))
        if tag == "name":
            return self.name(ref, expr[1])
        handler = HANDLERS.get(tag)
        if handler is None:
            return NOTHING
        return self.kept((ref, id(expr)), lambda: handler(self, ref, expr))

    def union(self, ref: Ref, exprs: Iterable[Expr | None]) -> Values:
        """Everything that any of the expressions may be."""
        out: set[Value] = set()
        for expr in exprs:
            out |= self.value(ref, expr)
        return frozenset(out)

    def kept(self, key: object, work: Callable[[], Values]) -> Values:
        """The answer to a question; it is worked out once."""
        answer: Values = self.answers.solver.ask(key, lambda: _fewer(work()))
        return answer

    def shared(self, key: Key, work: Callable[[], Values]) -> Values:
        """The answer to a question that scopes ask about each other; it is kept for the next scan too."""
        return self.answers.value(key, lambda: _fewer(work()))

    # --- names --------------------------------------------------------------------------------------------------

    def name(self, ref: Ref, name: str) -> Values:
        """What a name stands for in a scope."""
        return self.kept((ref, name), lambda: self._name(ref, name))

    def _name(self, ref: Ref, name: str) -> Values:
        self.index.look_up_bound(ref[0], name)
        at: Ref | None = ref
        while at is not None:
            scope = self.index.scope(at)
            if scope.kind != "class" or at == ref:
                found = self._bound(at, scope, name)
                if found is not None:
                    return found
            at = self.index.parent(at)
        return self._star(ref[0], name) or frozenset((self._from_nowhere(name),))

    def _from_nowhere(self, name: str) -> External:
        """A name that nothing binds is built in, or a module that whoever runs the code puts there."""
        there = self.sinks.known_root(name) and not hasattr(builtins, name)
        return External(name if there else f"builtins.{name}")

    def _bound(self, ref: Ref, scope: Scope, name: str) -> Values | None:
        """The values of a name that is bound in this very scope; None where it is not."""
        param = next((p for p in scope.params if p.name == name), None)
        binds = scope.binds.get(name)
        if param is None and binds is None:
            return None
        out = set(self.param(ref, param)) if param is not None else set()
        out |= self.union(ref, binds or ())
        out |= self.union(ref, [content for key, content in scope.puts if key == name])
        return merged(out)

    def _star(self, file: int, name: str) -> Values:
        out: set[Value] = set()
        for module in self.index.files[file].stars:
            number = self.index.module(module, file)
            if number is not None and number != file:
                out |= self.global_name(number, name)
        return frozenset(out)

    def global_name(self, file: int, name: str) -> Values:
        """What a name stands for at the top level of a file; nothing where it is not bound there."""
        ref = (file, 0)

        def work() -> Values:
            self.index.look_up_bound(file, name)
            found = self._bound(ref, self.index.scope(ref), name)
            return self._star(file, name) if found is None else found

        return self.shared(("global", file, name), work)

    # --- what values do -----------------------------------------------------------------------------------------

    def param(self, ref: Ref, param: Param) -> Values:
        """What a parameter may be: by annotation, default, and what callers pass."""
        return self.shared(("param", ref, param.name), lambda: parameters.values(self, ref, param))

    def attribute(self, base: Value, name: str) -> Values:
        """What ``base.name`` may be."""
        return attributes.attribute(self, base, name)

    def result(self, ref: Ref, func: Value, call: Expr) -> Values:
        """What calling ``func`` gives."""
        return results.result(self, ref, func, call)

    def returned(self, ref: Ref) -> Values:
        """What a function returns: by its body, else by its annotation."""

        def work() -> Values:
            scope = self.index.scope(ref)
            out = self.union(ref, scope.returns)
            useful = any(not isinstance(v, External) or self.sinks.known_root(v.path) for v in out)
            if not useful and scope.returns_type is not None:
                out |= declared.annotated(self, ref, scope.returns_type)
            return out

        return self.shared(("returned", ref), work)

    def method_result(self, instance: Instance, name: str) -> Values:
        """What calling a method of an instance gives, by name."""
        out: set[Value] = set()
        for value in in_turn(self.classes.attribute(instance, name)):
            if isinstance(value, Function):
                out |= self.returned(value.ref)
        return frozenset(out)

    def elements(self, values: Values) -> Values:
        """What iterating over any of the values gives."""
        out: set[Value] = set(elements_of(values))
        for value in in_turn(values):
            if isinstance(value, Instance):
                out |= elements_of(self.method_result(value, "__iter__"))
        return frozenset(out)

    def argument(self, ref: Ref, call: Expr, at: int, keyword: str) -> Values:
        """The value of an argument by place or name; nothing where it is not given."""
        for name, value in call[3]:
            if name == keyword:
                return self.value(ref, value)
        plain = call[2]
        if at < len(plain) and not any(a is not None and a[0] == "star" for a in plain[: at + 1]):
            return self.value(ref, plain[at])
        return NOTHING
