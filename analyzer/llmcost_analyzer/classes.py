"""Classes of the project: their bases and subclasses, and what an attribute of an instance may be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from llmcost_analyzer import passing as known
from llmcost_analyzer.containers import merged
from llmcost_analyzer.facts import Expr, Scope, dotted
from llmcost_analyzer.values import (
    NOTHING,
    Class,
    External,
    Function,
    Instance,
    Ref,
    Sdk,
    Super,
    Value,
    Values,
    in_turn,
)

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator

PROPERTIES: Final = frozenset(
    ["property", "cached_property", "functools.cached_property", "computed_field", "hybrid_property", "classproperty"]
)
_PROTOCOLS: Final = frozenset({"typing.Protocol", "typing_extensions.Protocol"})
STATIC: Final = frozenset({"staticmethod"})
OF_CLASS: Final = frozenset({"classmethod"})
_MOST_SUBCLASSES: Final = 30


class Classes:
    """The part of the evaluator that knows classes."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._index = evaluator.index
        self._bases: dict[Ref, tuple[tuple[str, str], list[Ref], tuple[str, ...]]] = {}
        self._subclasses: dict[Ref, list[Ref]] | None = None
        self._instance_sets: dict[Ref, dict[str, list[tuple[Ref, Expr | None]]]] = {}

    @property
    def known(self) -> bool:
        """Whether it is found out what each class derives from."""
        return self._subclasses is not None

    # --- hierarchy ----------------------------------------------------------------------------------------------

    def bases(self, ref: Ref) -> tuple[list[Ref], tuple[str, ...]]:
        """The bases of a class: those of the project, and the paths of the external ones."""
        found = self._bases.get(ref)
        if found is None:
            key = f"bases:{self._index.place(ref)}"
            places, paths = self._evaluator.answers.get(key, lambda: self._find_bases(ref), ((), ()))
            found = ("answer", key), [self._index.at(place) for place in places], paths
            if self.known:
                self._bases[ref] = found
        self._index.notes.current.add(found[0])
        return found[1], found[2]

    def _find_bases(self, ref: Ref) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The places of the bases in the project, and the paths of the others."""
        self._index.look(ref)
        places: dict[str, None] = {}
        paths: list[str] = []
        outside = self._index.parent(ref) or ref
        for base in self._index.scope(ref).bases:
            for value in in_turn(self._evaluator.value(outside, base)):
                if isinstance(value, Class) and value.ref != ref:
                    places[self._index.place(value.ref)] = None
                elif isinstance(value, External):
                    paths.append(value.path.removesuffix("[]"))
                elif isinstance(value, Sdk):
                    paths.append(f"sdk:{value.kind}")
        return tuple(places), tuple(paths)

    def lineage(self, ref: Ref) -> list[Ref]:
        """A class and the classes of the project that it derives from, nearest first."""
        out: list[Ref] = []
        queue = [ref]
        while queue:
            at = queue.pop(0)
            if at not in out:
                out.append(at)
                queue.extend(self.bases(at)[0])
        return out

    def external_bases(self, ref: Ref) -> list[str]:
        """Paths of all external classes that a class derives from."""
        return [path for at in self.lineage(ref) for path in self.bases(at)[1]]

    def find(self) -> None:
        """Find out what each class derives from. Until that is done no class has subclasses, no parameter a value."""
        classes = [ref for ref, scope in self._index.all_scopes() if scope.kind == "class"]
        for ref in classes:
            self.bases(ref)
        self._evaluator.answers.next_round()
        found: dict[Ref, list[Ref]] = defaultdict(list)
        self._subclasses = found
        for ref in classes:
            for base in self.lineage(ref)[1:]:
                found[base].append(ref)
        for ref in classes:
            if _PROTOCOLS & set(self.bases(ref)[1]):
                found[ref] += self._structural(ref)
        places = {self._index.place(ref): [self._index.place(sub) for sub in subs] for ref, subs in found.items()}
        self._evaluator.answers.facts("subclasses", places)

    def _structural(self, ref: Ref) -> list[Ref]:
        """Classes with all methods of a ``Protocol`` count as derived from it."""
        methods = _methods(self._index.scope(ref))
        fitting = [at for method in sorted(methods)[:1] for at in self._owners(method)]
        return [at for at in fitting if at != ref and methods <= _methods(self._index.scope(at))]

    def subclasses(self, ref: Ref) -> list[Ref]:
        """All classes of the project that derive from a class."""
        self._index.notes.current.add(("subclasses", ref))
        return (self._subclasses or {}).get(ref, [])[:_MOST_SUBCLASSES]

    def _owners(self, method: str) -> list[Ref]:
        parents = (self._index.parent(ref) for ref in self._index.defs.get(method, ()))
        return [ref for ref in parents if ref is not None and self._index.scope(ref).kind == "class"]

    def sdk_base(self, ref: Ref) -> str | None:
        """The kind of SDK object that a class derives from."""
        for path in self.external_bases(ref):
            kind = path[4:] if path.startswith("sdk:") else self._evaluator.sinks.typed(path)
            if kind is not None:
                return kind
        return None

    # --- attributes ---------------------------------------------------------------------------------------------

    def attribute(self, base: Instance | Class | Super, name: str) -> Values:
        """What an attribute of an instance, a class or ``super()`` may be."""
        return self._evaluator.shared(("attribute", base, name), lambda: self._attribute(base, name))

    def _attribute(self, base: Instance | Class | Super, name: str) -> Values:
        self._index.notes.current.add(("set", name))
        lineage = self.lineage(base.ref)
        if isinstance(base, Super):
            lineage = lineage[1:]
        out: set[Value] = set(self._in_lineage(lineage, name, base))
        if (isinstance(base, Instance) and not base.exact) or (isinstance(base, Class) and not name.startswith("__")):
            for subclass in self.subclasses(base.ref):
                out |= self._own(subclass, name, base)
        if not out and isinstance(base, Instance):
            out |= self._forwarded(base, name)
        if not out:
            out |= self._from_outside(base, name)
        return frozenset(out)

    def _forwarded(self, base: Instance, name: str) -> Values:
        """An attribute that ``__getattr__`` takes from another object: ``return getattr(self._inner, name)``."""
        if name.startswith("__"):
            return NOTHING
        out: set[Value] = set()
        for method in in_turn(self._in_lineage(self.lineage(base.ref), "__getattr__", base)):
            if isinstance(method, Function):
                for call in self._index.scope(method.ref).calls:
                    if call[1] == ("name", "getattr") and len(call[2]) > 1:
                        for inner in in_turn(self._evaluator.value(method.ref, call[2][0])):
                            out |= self._evaluator.attribute(inner, name) if inner != base else NOTHING
        return frozenset(out)

    def _in_lineage(self, lineage: list[Ref], name: str, base: Instance | Class | Super) -> Values:
        """The nearest definition; values that are assigned to instances count from the whole line."""
        out: set[Value] = set()
        for ref in lineage:
            found = self._own(ref, name, base)
            methods = {v for v in found if isinstance(v, Function)}
            out |= found if not any(isinstance(v, Function) for v in out) else found - methods
            if methods and name.startswith("__"):
                break
        return frozenset(out)

    def _own(self, ref: Ref, name: str, base: Instance | Class | Super) -> Values:
        scope = self._index.scope(ref)
        evaluator = self._evaluator
        out: set[Value] = set()
        for expr in scope.binds.get(name, ()):
            if expr is not None and expr[0] == "def":
                out |= self._method((ref[0], expr[1]), base)
            else:
                out |= evaluator.value(ref, expr)
        for key, content in scope.puts:
            if key == name:
                out |= evaluator.value(ref, content)
        for at, value in self._sets(ref).get(name, ()):
            out |= evaluator.value(at, value)
        if name in scope.binds and not any(isinstance(v, Function) for v in out):
            out |= self._field(ref, name)
        return merged(out)

    def _method(self, ref: Ref, base: Instance | Class | Super) -> Values:
        """A method as it is seen on an instance: bound; for a property, what it returns."""
        scope = self._index.scope(ref)
        names = decorator_names(scope)
        if isinstance(base, (Instance, Super)) and names & PROPERTIES:
            return self._evaluator.returned(ref)
        static = bool(names & STATIC)
        bound = not static and (not isinstance(base, Class) or bool(names & OF_CLASS))
        return frozenset((Function(ref, bound),))

    def _sets(self, ref: Ref) -> dict[str, list[tuple[Ref, Expr | None]]]:
        """What the methods of a class assign to ``self``, or to the class by its name."""
        found = self._instance_sets.get(ref)
        if found is None:
            found = self._instance_sets[ref] = defaultdict(list)
            by_name = ("name", self._index.scope(ref).name)
            for at, scope, receiver in self._method_scopes(ref):
                for base, name, value in scope.sets:
                    if base in (("name", receiver), by_name):
                        found[name].append((at, value))
        return found

    def _method_scopes(self, ref: Ref) -> Iterator[tuple[Ref, Scope, str]]:
        for scope in self._index.files[ref[0]].scopes:
            if scope.kind in ("function", "lambda"):
                owner, receiver = self._owner(scope, ref)
                if owner:
                    yield (ref[0], scope.index), scope, receiver

    def _owner(self, scope: Scope, ref: Ref) -> tuple[bool, str]:
        at = scope
        while at.kind in ("function", "lambda"):
            parent = self._index.files[ref[0]].scopes[at.parent]
            if parent.kind == "class":
                return parent.index == ref[1], at.params[0].name if at.params else ""
            at = parent
        return False, ""

    def _field(self, ref: Ref, name: str) -> Values:
        """What is passed for a field of a dataclass or model class where it is made."""
        scope = self._index.scope(ref)
        if "__init__" in scope.binds:
            return NOTHING
        fields = _declared(scope)
        if name not in fields:
            return NOTHING
        out: set[Value] = set()
        for caller, call in self._index.calls.get(scope.name, ())[:40]:
            out |= self._evaluator.argument(caller, call, fields.index(name), name)
        return frozenset(out)

    def fields(self, ref: Ref) -> list[str]:
        """The declared fields of a class and of those it derives from."""
        return list(dict.fromkeys(name for at in self.lineage(ref) for name in _declared(self._index.scope(at))))

    def _from_outside(self, base: Instance | Class | Super, name: str) -> Values:
        """An attribute that an external base class gives."""
        kind = self.sdk_base(base.ref)
        if kind is not None:
            return self._evaluator.attribute(Sdk(kind, "", f"class:{self._index.place(base.ref)}"), name)
        for path in self.external_bases(base.ref):
            if path not in known.PLAIN_BASES:
                return frozenset((External(f"{path}().{name}"),))
        return NOTHING

    # --- annotations --------------------------------------------------------------------------------------------

    # --- parameters ---------------------------------------------------------------------------------------------


def _declared(scope: Scope) -> list[str]:
    """Names that a class declares with a type: the fields of a dataclass or model class."""
    return [name for name, exprs in scope.binds.items() if any(e is not None and e[0] == "typed" for e in exprs)]


def _methods(scope: Scope) -> set[str]:
    """Public methods that a class itself defines."""
    return {
        name
        for name, exprs in scope.binds.items()
        if not name.startswith("_") and any(e is not None and e[0] == "def" for e in exprs)
    }


def decorator_names(scope: Scope) -> set[str]:
    """The dotted names of a function's decorators and their last parts."""
    names: set[str] = set()
    for decorator in scope.decorators:
        expr = decorator[1] if decorator is not None and decorator[0] == "call" else decorator
        name = dotted(expr)
        if name:
            names |= {name, name.rsplit(".", 1)[-1]}
    return names
