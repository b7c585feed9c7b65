"""What a call may be where nothing is known of the object: told by its shape, or by the name of the method."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final, NamedTuple

from llmcost_analyzer import http, shapes
from llmcost_analyzer import passing as known
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.imported import imports_sdk
from llmcost_analyzer.sites import Effects, names_given, raw_requests, request
from llmcost_analyzer.values import Class, External, Function, Instance, Ref, Sdk, Value

_TELLING: Final = 5
"""Shorter names of methods say too little."""
_EMPTY_WORDS: Final = frozenset(
    {
        "base",
        "client",
        "service",
        "manager",
        "model",
        "abstract",
        "self",
        "provider",
        "handler",
        "interface",
        "impl",
        "the",
    }
)
_OF_PROJECT: Final = (Function, Class, Instance)
_TEST: Final = re.compile(r"(^|/)tests?/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")
"""Paths of tests."""
_UNIQUE_ENOUGH: Final = 3
"""An unknown object's method is taken for the project's where at most this many classes define that name."""


def _telling_words(name: str) -> set[str]:
    """The words of a name: ``embedding_model`` and ``EmbeddingBase`` share one."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)
    return {part.lower() for part in parts} - _EMPTY_WORDS


def _unwrapped(expr: Expr | None) -> Expr | None:
    """What ``cast(T, x)`` and ``getattr(x, "name")`` stand for; else the expression itself."""
    if expr is None or expr[0] != "call" or len(expr[2]) < 2:
        return expr
    first, second = expr[2][:2]
    name = callee_name(expr[1])
    if name == "getattr" and second is not None and second[0] == "text":
        return ("attr", first, second[1])
    return second if name == "cast" else expr


def _is_telling(name: str) -> bool:
    """Whether the name of a method says which one it is."""
    return name not in known.COMMON_NAMES and len(name) >= _TELLING


def _holder(base: Expr | None) -> str:
    """The name of an object, or of what it is an item of."""
    while base is not None and base[0] == "item":
        base = base[1]
    return callee_name(base)


class _Families(NamedTuple):
    """The methods of the project with one name.

    Attributes:
        methods: all of them.
        by_root: by the furthest base class that defines the name.
        called: these classes by the telling words of their names.
        overridden: those of these classes whose method others override.
    """

    methods: AbstractSet[Ref]
    by_root: Mapping[Ref, AbstractSet[Ref]]
    called: Mapping[str, AbstractSet[Ref]]
    overridden: AbstractSet[Ref]


_NO_FAMILIES: Final = _Families(frozenset(), {}, {}, frozenset())


class Guesser:
    """Guesses the effects of calls."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._index = evaluator.index
        self._sdk_files: dict[int, bool] = {}
        self._tests: dict[int, bool] = {}

    def guess(self, ref: Ref, call: Expr, values: Collection[Value], out: Effects) -> None:
        """Add to the effects of a call what it may do, where they say nothing of it but what tests put in its place."""
        if out.sites or any(not self._stands_in(ref, at) for at in out.runs):
            return
        if not self._unknown(self._without_stand_ins(ref, values)):
            return
        imported = bool(values) and all(isinstance(value, External) for value in values)
        given = names_given(self._index, ref, call)
        call = self._with_the_method_itself(ref, call)
        shape = shapes.by_shape(call, given, imports_sdk=self._imports_sdk(ref[0]), imported=imported)
        if shape is not None and not self._is_project_method(ref, call):
            own = self._own_methods(call)
            site = request(self._evaluator, ref, call, ("unknown", shape.operation))
            out.sites.append(replace(site, inside=bool(own)))
            out.runs |= own
            return
        name = callee_name(call[1])
        if name in http.UNKNOWN_SENDERS:
            out.sites.extend(raw_requests(self._evaluator, ref, call, http.UNKNOWN_SENDERS[name]))
        if not out.sites and not out.runs and call[1] is not None and call[1][0] == "attr":
            out.runs |= self._only_methods(call[1])

    def _with_the_method_itself(self, ref: Ref, call: Expr) -> Expr:
        """``send = getattr(llm, "chat")``, then ``send(...)``: the call of the method that a variable stands for."""
        func = call[1]
        bound = self._index.scope(ref).binds.get(func[1], ()) if func is not None and func[0] == "name" else ()
        meant = _unwrapped(bound[0]) if len(bound) == 1 else None
        return call if meant is None or meant[0] != "attr" else ("call", meant, *call[2:])

    def _unknown(self, values: Iterable[Value]) -> bool:
        """Nothing is known, or only that it comes from another package that is not in the table."""
        for value in values:
            if isinstance(value, Sdk) and "." in value.path:
                continue
            if not isinstance(value, External):
                return False
            root = value.path.split(".")[0].split("(")[0]
            if root == "builtins" or root in known.PLAIN_PACKAGES or self._evaluator.sinks.known_root(root):
                return False
        return True

    def _is_project_method(self, ref: Ref, call: Expr) -> bool:
        """The object is one of the project's own classes, although it has no such method that we see."""
        func = call[1]
        if func is None or func[0] != "attr":
            return False
        values = self._without_stand_ins(ref, self._evaluator.value(ref, func[1]))
        return any(isinstance(v, (Instance, Class)) for v in values)

    def _without_stand_ins(self, ref: Ref, values: Iterable[Value]) -> list[Value]:
        """The values that are not what tests put in the place of a client."""
        return [v for v in values if not (isinstance(v, _OF_PROJECT) and self._stands_in(ref, v.ref))]

    def _stands_in(self, ref: Ref, at: Ref) -> bool:
        """Whether something is defined in a test, but used outside of it."""
        return self._is_test(at[0]) and not self._is_test(ref[0])

    def _is_test(self, number: int) -> bool:
        if number not in self._tests:
            self._tests[number] = bool(_TEST.search(self._index.files[number].path))
        return self._tests[number]

    def _own_methods(self, call: Expr) -> set[Ref]:
        """The project's own methods that look like the request: it is more likely theirs than another package's."""
        func = call[1]
        if func is None or func[0] != "attr":
            return set()
        name = str(func[2])
        found = self._families(name).methods if _is_telling(name) else self._only_methods(func)
        return {ref for ref in found if not self._is_test(ref[0])}

    def _only_methods(self, func: Expr) -> set[Ref]:
        """The methods of the project that an unknown object's method may be.

        They are taken where only few classes define that name, or where all that do share a base class. A name that
        many things have counts only where the object is called like the class. Where several families of classes have
        a name, it is that of the one that is called like the object, else that of the only one that was made to be
        overridden.
        """
        families = self._families(str(func[2]))
        telling = _is_telling(str(func[2]))
        if telling and (len(families.methods) <= _UNIQUE_ENOUGH or len(families.by_root) == 1):
            return set(families.methods)
        alike = {root for word in _telling_words(_holder(func[1])) for root in families.called.get(word, ())}
        for roots in (alike, families.overridden if telling else ()):
            if len(roots) == 1:
                return set(families.by_root[next(iter(roots))])
        return set()

    def _families(self, name: str) -> _Families:
        """The methods with a name."""

        def work() -> _Families:
            by_root: dict[Ref, set[Ref]] = {}
            for ref in () if name.startswith("__") else self._index.defs.get(name, ()):
                if self._in_class(ref):
                    by_root.setdefault(self._root(ref, name), set()).add(ref)
            called: dict[str, set[Ref]] = {}
            for root in by_root:
                for word in _telling_words(self._index.scope(root).name):
                    called.setdefault(word, set()).add(root)
            methods = frozenset().union(*by_root.values())
            return _Families(methods, by_root, called, {root for root, refs in by_root.items() if len(refs) > 1})

        found: _Families = self._evaluator.answers.solver.ask(("family", name), work, _NO_FAMILIES)
        return found

    def _root(self, ref: Ref, name: str) -> Ref:
        """The furthest base class that defines a method."""
        owner = self._index.parent(ref) or ref
        return [at for at in self._evaluator.classes.lineage(owner) if name in self._index.scope(at).binds][-1]

    def _in_class(self, ref: Ref) -> bool:
        parent = self._index.parent(ref)
        return parent is not None and self._index.scope(parent).kind == "class"

    def _imports_sdk(self, number: int) -> bool:
        self._index.notes.current.add(("sdk", self._index.files[number].path))
        if number not in self._sdk_files:
            self._sdk_files[number] = imports_sdk(self._index.files[number], self._evaluator.sinks)
        return self._sdk_files[number]
