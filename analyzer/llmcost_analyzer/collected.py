"""Functions that are handed to an object which runs them later: nodes of a graph, components of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.values import Function, Instance, Items, Ref, Sdk, Value, in_turn


class Collected:
    """Knows what was handed to which object."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._index = evaluator.index
        self._functions: dict[str, set[Ref]] = {}

    def functions(self, value: Sdk) -> set[Ref]:
        """What an object runs when it runs."""
        self._index.notes.current.add(("collected", value.origin))
        return self._functions.get(value.origin, set())

    def collect(self, calls: Iterable[tuple[Ref, Expr]]) -> None:
        """Note the functions that calls hand to an object which runs them later: graph nodes, pipeline components."""
        for ref, call in calls:
            key = f"collect:{self._index.place_of_call(ref, call)}"
            found = self._evaluator.answers.get(key, partial(self._handed_over, ref, call), ())
            for origin, place in found:
                self._functions.setdefault(origin, set()).add(self._index.at(place))
        rows = {origin: sorted(map(self._index.place, refs)) for origin, refs in self._functions.items()}
        self._evaluator.answers.facts("collected", rows)

    def _handed_over(self, ref: Ref, call: Expr) -> tuple[tuple[str, str], ...]:
        self._index.look(ref)
        func = call[1]
        if func is None or func[0] != "attr":
            return ()
        out: set[tuple[str, str]] = set()
        for value in in_turn(self._evaluator.value(ref, func[1])):
            if isinstance(value, Sdk) and func[2] in self._evaluator.sinks.kinds[value.kind].collects:
                for arg in [*call[2], *(v for _, v in call[3])]:
                    for item in in_turn(self._evaluator.value(ref, arg)):
                        out |= {(value.origin, self._index.place(at)) for at in self._runnable(item)}
        return tuple(sorted(out))

    def _runnable(self, value: Value) -> Iterable[Ref]:
        """The functions that running a value means."""
        if isinstance(value, Function):
            yield value.ref
        elif isinstance(value, Instance):
            for name in ("__call__", "run", "forward", "invoke"):
                for method in in_turn(self._evaluator.classes.attribute(value, name)):
                    if isinstance(method, Function):
                        yield method.ref
        elif isinstance(value, Items):
            for item in in_turn(value.values):
                yield from self._runnable(item)
