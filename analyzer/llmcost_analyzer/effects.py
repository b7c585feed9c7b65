"""What one call does: the requests to a model that it sends, and the functions of the project that it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from llmcost_analyzer import http
from llmcost_analyzer import passing as known
from llmcost_analyzer.collected import Collected
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.guesses import Guesser
from llmcost_analyzer.sites import Effects, Site, raw_requests, request
from llmcost_analyzer.values import Class, External, Function, Instance, Ref, Sdk, Value, in_turn

_RECEIVERS: Final = (("name", "self"), ("name", "cls"))
_CALLED: Final = ("__call__", "forward")
_RUN_WHEN_CALLED: Final = ("run", "invoke", "call")
_PARTIAL: Final = External("functools.partial")
_Packed = tuple[tuple[tuple[str, str, str, bool], ...], tuple[str, ...]]
_NO_EFFECTS: Final[_Packed] = ((), ())


_NONE: Final = Effects()


class EffectReader:
    """Works out the effects of calls."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.index = evaluator.index
        self.sinks = evaluator.sinks
        self.collected = Collected(evaluator)
        self._guesser = Guesser(evaluator)

    def of(self, ref: Ref, call: Expr) -> Effects:
        """What a call does."""
        key = f"call:{self.index.place_of_call(ref, call)}"
        sites, runs = self.evaluator.answers.get(key, lambda: self._packed(ref, call), _NO_EFFECTS)
        if not sites and not runs:
            return _NONE
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
        if _PARTIAL in values and self._is_kept(ref, call):
            return out
        for value in in_turn(values):
            self._effect_of(ref, call, value, out)
        self._hand_over(ref, call, out)
        self._guesser.guess(ref, call, values, out)
        if callee_name(call[1]) in known.RUNS_ARGUMENTS and not any(isinstance(v, (Function, Class)) for v in values):
            self._run_arguments(ref, call, out)
        return out

    def _is_kept(self, ref: Ref, call: Expr) -> bool:
        """``self.send = partial(client.messages.create, ...)``: the request is where the attribute is called."""
        return any(value is call for _, _, value in self.index.scope(ref).sets)

    def _hand_over(self, ref: Ref, call: Expr, out: Effects) -> None:
        """``retry(client.chat.completions.create, ...)``: a method that is a request is handed on to be called.

        What makes an object (``Tool(func=chain.run)``) only keeps it.
        """
        name = callee_name(call[1])
        if name[:1].isupper() and name not in known.RUNS_ARGUMENTS:
            return
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
                out.sites.append(request(self.evaluator, ref, call, ("decorator", operation)))
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
                    out.sites.append(request(self.evaluator, ref, call, (kind.library, kind.calls[func[2]])))
                    return

    def _construct(self, value: Class, out: Effects) -> None:
        for name in ("__init__", "__post_init__", "__new__", "model_post_init"):
            for method in in_turn(self.evaluator.classes.attribute(Instance(value.ref, exact=True), name)):
                if isinstance(method, Function):
                    out.runs.add(method.ref)

    def _call_instance(self, ref: Ref, call: Expr, value: Instance, out: Effects) -> None:
        kind = self.evaluator.classes.sdk_base(value.ref)
        for name in _CALLED if kind is not None else (*_CALLED, *self._run_by_bases(value)):
            methods = self.evaluator.classes.attribute(value, name)
            found = {method.ref for method in methods if isinstance(method, Function)}
            if found:
                out.runs |= found
                return
        if kind is not None:
            self._call_sdk(ref, call, Sdk(kind, "", f"class:{self.index.place(value.ref)}"), out)

    def _run_by_bases(self, value: Instance) -> tuple[str, ...]:
        """Methods that a base class of another package may run when an instance is called."""
        outside = set(self.evaluator.classes.external_bases(value.ref)) - known.PLAIN_BASES
        return _RUN_WHEN_CALLED if outside else ()

    def _call_external(self, ref: Ref, call: Expr, value: External, out: Effects) -> None:
        path = value.path
        operation = self.sinks.function(path)
        if operation:
            made = self.sinks.made(path)
            inside = made is not None and self.sinks.kinds[made].inside
            out.sites.append(
                replace(request(self.evaluator, ref, call, (path.split(".")[0], operation)), inside=inside)
            )
            return
        if path.split(".")[0] in self.sinks.modules:
            root, _, rest = path.partition(".")
            kind = self.sinks.kinds[self.sinks.modules[root]]
            operation = kind.calls.get(kind.normal(rest), "")
            if operation:
                out.sites.append(request(self.evaluator, ref, call, (kind.library, operation)))
                return
        if path in http.SENDERS:
            out.sites.extend(raw_requests(self.evaluator, ref, call, http.SENDERS[path]))

    def _call_sdk(self, ref: Ref, call: Expr, value: Sdk, out: Effects) -> None:
        kind = self.sinks.kinds[value.kind]
        path = value.path or "()"
        if path in kind.runs:
            collected = self.collected.functions(value)
            out.runs |= collected
            if collected:
                return
        operation = kind.calls.get(path)
        if operation:
            out.sites.append(replace(request(self.evaluator, ref, call, (kind.library, operation)), inside=kind.inside))
        elif path.isidentifier() and path not in kind.leads:
            out.runs |= self._of_own_classes(value.kind, path)

    def _of_own_classes(self, kind: str, name: str) -> set[Ref]:
        """Methods that the SDK's class lacks and the project's classes add: the object is one of those."""
        return {
            method
            for method in self.index.defs.get(name, ())
            if (owner := self.index.parent(method)) is not None
            and self.index.scope(owner).kind == "class"
            and any(
                self.evaluator.classes.sdk_base(at) == kind for at in (owner, *self.evaluator.classes.subclasses(owner))
            )
        }

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
