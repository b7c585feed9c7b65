"""Which calls are worth evaluating: told by names alone, so that most of a large project is never looked at.

A call is evaluated where its last name is one of a request's, where it calls a value (a variable, a parameter, an
item), or where it has the name of a function that is known to reach a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from llmcost_analyzer import http, imported, shapes
from llmcost_analyzer import passing as known
from llmcost_analyzer.classes import PROPERTIES, decorator_names
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.index import held
from llmcost_analyzer.values import Ref

_MAKERS: Final = frozenset({"__init__", "__post_init__", "__new__", "model_post_init"})
_TELLING: Final = 6
_FEW: Final = 2
"""A property is known by its name where it has this many letters and at most this many classes define it."""
_VALUE: Final = "()"

Call = tuple[Ref, Expr]


class Candidates:
    """Finds calls by name."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._index = evaluator.index
        self._classes = evaluator.classes
        self._sinks = evaluator.sinks
        self._readers: dict[str, list[Ref]] | None = None
        self._request_names = self._all_request_names()

    # --- where to begin -----------------------------------------------------------------------------------------

    def requests(self) -> Iterator[Call]:
        """Calls that may be requests."""
        names = self.request_names()
        for name, calls in self._index.calls.items():
            if name == _VALUE or name in names or self._sinks.starts_like_function(name):
                yield from calls
        for name in sorted(names):
            for ref, call, _ in self._index.passed.get(name, ()):
                yield ref, call

    def of_values(self) -> Iterator[Call]:
        """Calls of variables, parameters and attributes, which may hold a function or a callable object."""
        shared = held(self._index)
        local: set[str] = set().union(*(scope.values for _, scope in self._index.all_scopes()))
        for name, calls in self._index.calls.items():
            if name in shared:
                yield from calls
            elif name in local:
                yield from ((ref, call) for ref, call in calls if self._is_local(ref, call))

    def _is_local(self, ref: Ref, call: Expr) -> bool:
        """Whether a call is that of a variable or parameter of the function, or of one around it."""
        if call[1][0] != "name":
            return False
        at: Ref | None = ref
        while at is not None:
            if call[1][1] in self._index.files[at[0]].scopes[at[1]].values:
                return True
            at = self._index.parent(at)
        return False

    def handed_on(self) -> bool:
        """Whether something with the name of a request is handed to another call, which may keep it."""
        return not self.request_names().isdisjoint(self._index.passed)

    def callable_objects(self) -> bool:
        """Whether the project imports an SDK whose objects are called themselves."""
        return any(self._sinks.makes_callables(root) for facts in self._index.files for root in facts.roots)

    def decorated(self) -> Iterator[Ref]:
        """Functions under a decorator that may make them requests."""
        for ref, scope in self._index.all_scopes():
            if scope.decorators and decorator_names(scope) & self._sinks.decorator_names:
                yield ref

    def request_names(self) -> frozenset[str]:
        """Last names of calls that are always looked at."""
        return self._request_names

    def _all_request_names(self) -> frozenset[str]:
        names = imported.last_names(self._sinks, imported.roots(self._index)) | shapes.LAST_NAMES
        names |= set(http.UNKNOWN_SENDERS) | {path.rsplit(".", 1)[-1] for path in http.SENDERS}
        return names | {alias for name in names for alias in self._index.aliases.get(name, ())}

    # --- from a function to its callers -------------------------------------------------------------------------

    def callers(self, ref: Ref) -> Iterator[Call]:
        """Calls that may run a function."""
        names = self._names(ref)
        for name in sorted(names):
            yield from self._index.calls.get(name, ())
            for caller, call, _ in self._index.passed.get(name, ()):
                yield caller, call
        if self._index.scope(ref).decorators:
            yield from self._through_attributes(names)

    def readers(self, ref: Ref) -> Iterator[Ref]:
        """Scopes that read a property by a name that few classes have."""
        scope = self._index.scope(ref)
        refs = self._index.defs.get(scope.name, ())
        if len(scope.name) < _TELLING or scope.name in known.COMMON_NAMES or len(refs) > _FEW:
            return
        if all(decorator_names(self._index.scope(at)) & PROPERTIES for at in refs):
            self._index.notes.current.add(("read", scope.name))
            yield from self._all_readers().get(scope.name, ())

    def _names(self, ref: Ref) -> set[str]:
        scope = self._index.scope(ref)
        parent = self._index.parent(ref)
        names = {scope.name}
        if scope.name in _MAKERS and parent is not None:
            names |= {self._index.scope(at).name for at in (parent, *self._classes.subclasses(parent))}
            names.add("cls")
        return names | {alias for name in names for alias in self._index.aliases.get(name, ())}

    def _through_attributes(self, names: set[str]) -> Iterator[Call]:
        """``task.delay(...)``, ``tool.invoke(...)``."""
        for attribute in sorted(known.CALLS_FUNCTION):
            for caller, call in self._index.calls.get(attribute, ()):
                func = call[1]
                if func is not None and func[0] == "attr" and callee_name(func[1]) in names:
                    yield caller, call

    def _all_readers(self) -> dict[str, list[Ref]]:
        if self._readers is None:
            self._readers = {}
            for ref, scope in self._index.all_scopes():
                for name in scope.reads:
                    self._readers.setdefault(name, []).append(ref)
        return self._readers
