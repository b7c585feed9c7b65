"""What one call does: the requests to a model that it sends, and the functions of the project that it runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from llmcost_analyzer import http, shapes
from llmcost_analyzer import passing as known
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.imported import imports_sdk
from llmcost_analyzer.values import Class, External, Function, Instance, Items, Ref, Sdk, Text, Value, in_turn

_RECEIVERS: Final = (("name", "self"), ("name", "cls"))
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
_UNIQUE_ENOUGH: Final = 3
"""An unknown object's method is taken for the project's where at most this many classes define that name."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A request to a model: line, library, operation, and the model where it is a literal.

    ``inside``: it is sent by a store or tool that embeds or reads on the way, not by a model object.
    """

    line: int
    library: str
    operation: str
    model: str = ""
    inside: bool = False


@dataclass(slots=True)
class Effects:
    """What one call does: requests it sends and functions of the project that it runs."""

    sites: list[Site] = field(default_factory=list)
    runs: set[Ref] = field(default_factory=set)


def _telling_words(name: str) -> set[str]:
    """The words of a name: ``embedding_model`` and ``EmbeddingBase`` share one."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)
    return {part.lower() for part in parts} - _EMPTY_WORDS


_Packed = tuple[tuple[tuple[str, str, str, bool], ...], tuple[str, ...]]
_NO_EFFECTS: Final[_Packed] = ((), ())


class EffectReader:
    """Works out the effects of calls."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.index = evaluator.index
        self.sinks = evaluator.sinks
        self._collected: dict[str, set[Ref]] = {}
        self._sdk_files: dict[int, bool] = {}

    def of(self, ref: Ref, call: Expr) -> Effects:
        """What a call does."""
        key = f"call:{self.index.place_of_call(ref, call)}"
        sites, runs = self.evaluator.answers.get(key, lambda: self._packed(ref, call), _NO_EFFECTS)
        return Effects([Site(call[4], *site) for site in sites], {self.index.at(place) for place in runs})

    def _packed(self, ref: Ref, call: Expr) -> _Packed:
        """Effects without lines and numbers of scopes."""
        self.index.look(ref)
        found = self._work_out(ref, call)
        sites = tuple((s.library, s.operation, s.model, s.inside) for s in found.sites)
        return sites, tuple(self.index.place(at) for at in sorted(found.runs))

    def _work_out(self, ref: Ref, call: Expr) -> Effects:
        out = Effects()
        values = self.evaluator.value(ref, call[1])
        for value in in_turn(values):
            self._effect_of(ref, call, value, out)
        self._hand_over(ref, call, out)
        if not out.sites and not out.runs:
            self._guess(ref, call, values, out)
        if callee_name(call[1]) in known.RUNS_ARGUMENTS and not any(isinstance(v, (Function, Class)) for v in values):
            self._run_arguments(ref, call, out)
        return out

    def _hand_over(self, ref: Ref, call: Expr, out: Effects) -> None:
        """``retry(client.chat.completions.create, ...)``: a method that is a request is handed on to be called."""
        for arg in [*call[2], *(value for _, value in call[3])]:
            if arg is not None and arg[0] == "attr":
                for value in in_turn(self.evaluator.value(ref, arg)):
                    if isinstance(value, Sdk) and value.path and not out.sites:
                        self._call_sdk(ref, call, value, out)

    def _effect_of(self, ref: Ref, call: Expr, value: Value, out: Effects) -> None:
        if isinstance(value, Function):
            out.runs.add(value.ref)
            self._overridden(ref, call, out)
            operation = self._decorated_operation(value.ref)
            if operation:
                out.sites.append(self._site(ref, call, "decorator", operation))
        elif isinstance(value, Class):
            self._construct(value, out)
        elif isinstance(value, Instance):
            self._call_instance(ref, call, value, out)
        elif isinstance(value, External):
            self._call_external(ref, call, value, out)
        elif isinstance(value, Sdk) and not (value.path and self._is_callback(ref, call)):
            self._call_sdk(ref, call, value, out)

    def _is_callback(self, ref: Ref, call: Expr) -> bool:
        """What is called is a parameter: the request belongs to the function that handed it over."""
        func = call[1]
        return (
            func is not None
            and func[0] == "name"
            and any(param.name == func[1] for param in self.index.scope(ref).params)
        )

    def _overridden(self, ref: Ref, call: Expr, out: Effects) -> None:
        """A model class of the project's own that overrides ``invoke`` is called like the SDK's: a request."""
        func = call[1]
        if func is None or func[0] != "attr" or func[1] in _RECEIVERS or out.sites:
            return
        for value in in_turn(self.evaluator.value(ref, func[1])):
            if isinstance(value, Instance):
                name = self.evaluator.classes.sdk_base(value.ref)
                kind = self.sinks.kinds[name] if name is not None else None
                if kind is not None and kind.calls.get(func[2]):
                    out.sites.append(self._site(ref, call, kind.library, kind.calls[func[2]]))
                    return

    def _construct(self, value: Class, out: Effects) -> None:
        for name in ("__init__", "__post_init__", "__new__", "model_post_init"):
            for method in in_turn(self.evaluator.classes.attribute(Instance(value.ref, exact=True), name)):
                if isinstance(method, Function):
                    out.runs.add(method.ref)

    def _call_instance(self, ref: Ref, call: Expr, value: Instance, out: Effects) -> None:
        found = False
        for name in ("__call__", "forward"):
            for method in in_turn(self.evaluator.classes.attribute(value, name)):
                if isinstance(method, Function):
                    out.runs.add(method.ref)
                    found = True
            if found:
                return
        kind = self.evaluator.classes.sdk_base(value.ref)
        if kind is not None:
            self._call_sdk(ref, call, Sdk(kind, "", f"class:{self.index.place(value.ref)}"), out)

    def _call_external(self, ref: Ref, call: Expr, value: External, out: Effects) -> None:
        path = value.path
        operation = self.sinks.function(path)
        if operation:
            made = self.sinks.made(path)
            inside = made is not None and self.sinks.kinds[made].inside
            out.sites.append(replace(self._site(ref, call, path.split(".")[0], operation), inside=inside))
            return
        if path.split(".")[0] in self.sinks.modules:
            root, _, rest = path.partition(".")
            kind = self.sinks.kinds[self.sinks.modules[root]]
            operation = kind.calls.get(kind.normal(rest), "")
            if operation:
                out.sites.append(self._site(ref, call, kind.library, operation))
                return
        if path in http.SENDERS:
            self._send(ref, call, http.SENDERS[path], out)

    def _send(self, ref: Ref, call: Expr, at: int, out: Effects) -> None:
        method = self.evaluator.argument(ref, call, 0, "method") if at == 1 else frozenset()
        if any(isinstance(v, Text) and v.text.upper() in ("GET", "DELETE", "HEAD") for v in method):
            return
        texts = [v.text for v in self.evaluator.argument(ref, call, at, "url") if isinstance(v, Text)]
        addresses = sorted(text for text in texts if http.is_model_address(text))
        if addresses:
            operation, _ = Counter(map(http.operation, addresses)).most_common(1)[0]
            out.sites.append(self._site(ref, call, "http", operation))

    def _call_sdk(self, ref: Ref, call: Expr, value: Sdk, out: Effects) -> None:
        kind = self.sinks.kinds[value.kind]
        path = value.path or "()"
        if path in kind.runs:
            collected = self._collected_functions(value)
            out.runs |= collected
            if collected:
                return
        operation = kind.calls.get(path)
        if operation:
            out.sites.append(replace(self._site(ref, call, kind.library, operation), inside=kind.inside))

    def _collected_functions(self, value: Sdk) -> set[Ref]:
        self.index.notes.current.add(("collected", value.origin))
        return self._collected.get(value.origin, set())

    def collect(self, calls: Iterable[tuple[Ref, Expr]]) -> None:
        """Note the functions that calls hand to an object which runs them later: graph nodes, pipeline components."""
        for ref, call in calls:
            key = f"collect:{self.index.place_of_call(ref, call)}"
            found = self.evaluator.answers.get(key, partial(self._handed_over, ref, call), ())
            for origin, place in found:
                self._collected.setdefault(origin, set()).add(self.index.at(place))
        rows = {origin: sorted(map(self.index.place, refs)) for origin, refs in self._collected.items()}
        self.evaluator.answers.facts("collected", rows)

    def _handed_over(self, ref: Ref, call: Expr) -> tuple[tuple[str, str], ...]:
        self.index.look(ref)
        func = call[1]
        if func is None or func[0] != "attr":
            return ()
        out: set[tuple[str, str]] = set()
        for value in in_turn(self.evaluator.value(ref, func[1])):
            if isinstance(value, Sdk) and func[2] in self.sinks.kinds[value.kind].collects:
                for arg in [*call[2], *(v for _, v in call[3])]:
                    for item in in_turn(self.evaluator.value(ref, arg)):
                        out |= {(value.origin, self.index.place(at)) for at in self._runnable(item)}
        return tuple(sorted(out))

    def _runnable(self, value: Value) -> Iterable[Ref]:
        """The functions that running a value means."""
        if isinstance(value, Function):
            yield value.ref
        elif isinstance(value, Instance):
            for name in ("__call__", "run", "forward", "invoke"):
                for method in in_turn(self.evaluator.classes.attribute(value, name)):
                    if isinstance(method, Function):
                        yield method.ref
        elif isinstance(value, Items):
            for item in in_turn(value.values):
                yield from self._runnable(item)

    def _run_arguments(self, ref: Ref, call: Expr, out: Effects) -> None:
        """``to_thread(f, x)``, ``Thread(target=f)``, ``gather(...)``: what is handed over is run."""
        for arg in [*call[2], *(value for _, value in call[3])]:
            if arg is None or arg[0] in ("call", "text"):
                continue
            for value in in_turn(self.evaluator.value(ref, arg[1] if arg[0] == "star" else arg)):
                if isinstance(value, Function):
                    out.runs.add(value.ref)
                elif isinstance(value, Sdk) and value.path:
                    self._call_sdk(ref, call, value, out)
                elif isinstance(value, External) and self.sinks.function(value.path):
                    self._call_external(ref, call, value, out)

    def _guess(self, ref: Ref, call: Expr, values: Iterable[Value], out: Effects) -> None:
        if not self._unknown(values):
            return
        shape = shapes.by_shape(call, imports_sdk=self._imports_sdk(ref[0]))
        if shape is not None and not self._is_project_method(ref, call):
            out.sites.append(self._site(ref, call, "unknown", shape.operation))
            return
        name = callee_name(call[1])
        if name in http.UNKNOWN_SENDERS:
            self._send(ref, call, http.UNKNOWN_SENDERS[name], out)
        if not out.sites and call[1] is not None and call[1][0] == "attr":
            out.runs |= self._only_methods(call[1])

    def _unknown(self, values: Iterable[Value]) -> bool:
        """Nothing is known, or only that it comes from another package that is not in the table."""
        for value in values:
            if isinstance(value, Sdk) and "." in value.path:
                continue
            if not isinstance(value, External):
                return False
            root = value.path.split(".")[0].split("(")[0]
            if root == "builtins" or root in known.PLAIN_PACKAGES or self.sinks.known_root(root):
                return False
        return True

    def _is_project_method(self, ref: Ref, call: Expr) -> bool:
        """The object is one of the project's own classes, although it has no such method that we see."""
        func = call[1]
        if func is None or func[0] != "attr":
            return False
        return any(isinstance(v, (Instance, Class)) for v in self.evaluator.value(ref, func[1]))

    def _only_methods(self, func: Expr) -> set[Ref]:
        """The methods of the project that an unknown object's method may be.

        They are taken where only few classes define that name, or where all that do share a base class. A name that
        many things have counts only where the object is called like the class.
        """
        name = str(func[2])
        found, roots = self._family(name)
        telling = name not in known.COMMON_NAMES and len(name) >= _TELLING
        if telling and len(found) <= _UNIQUE_ENOUGH:
            return set(found)
        if len(roots) != 1:
            return set()
        return set(found) if telling or self._called_like(func[1], next(iter(roots))) else set()

    def _family(self, name: str) -> tuple[frozenset[Ref], frozenset[Ref]]:
        """The methods with a name, and the furthest base classes that define it."""

        def work() -> tuple[frozenset[Ref], frozenset[Ref]]:
            found = [] if name.startswith("__") else self.index.defs.get(name, ())
            methods = [ref for ref in found if self._in_class(ref)]
            return frozenset(methods), frozenset(self._root(ref, name) for ref in methods)

        found: tuple[frozenset[Ref], frozenset[Ref]] = self.evaluator.answers.solver.ask(("family", name), work)
        return found

    def _root(self, ref: Ref, name: str) -> Ref:
        """The furthest base class that defines a method."""
        owner = self.index.parent(ref) or ref
        return [at for at in self.evaluator.classes.lineage(owner) if name in self.index.scope(at).binds][-1]

    def _called_like(self, base: Expr | None, owner: Ref) -> bool:
        """Whether the name of an object and the name of a class share a word that says something."""
        holder = callee_name(base)
        return bool(_telling_words(holder) & _telling_words(self.index.scope(owner).name))

    def _in_class(self, ref: Ref) -> bool:
        parent = self.index.parent(ref)
        return parent is not None and self.index.scope(parent).kind == "class"

    def _site(self, ref: Ref, call: Expr, library: str, operation: str) -> Site:
        model = ""
        for key in ("model", "modelId", "model_id", "model_name"):
            texts = [v.text for v in self.evaluator.argument(ref, call, 10_000, key) if isinstance(v, Text)]
            if len(texts) == 1 and "\0" not in texts[0]:
                model = texts[0]
        return Site(call[4], library, operation, model)

    def _imports_sdk(self, number: int) -> bool:
        self.index.notes.current.add(("sdk", self.index.files[number].path))
        if number not in self._sdk_files:
            self._sdk_files[number] = imports_sdk(self.index.files[number], self.sinks)
        return self._sdk_files[number]

    def _decorated_operation(self, ref: Ref) -> str | None:
        scope = self.index.scope(ref)
        if not scope.decorators:
            return None
        outside = self.index.parent(ref) or ref
        for decorator in scope.decorators:
            expr = decorator[1] if decorator is not None and decorator[0] == "call" else decorator
            for value in in_turn(self.evaluator.value(outside, expr)):
                if isinstance(value, External):
                    operation = self.sinks.decorator(value.path)
                    if operation:
                        return operation
        return None
