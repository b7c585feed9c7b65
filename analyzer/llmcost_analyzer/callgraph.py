"""Which functions call a model: directly, or through the project's own functions."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Final

from llmcost_analyzer import passing as known
from llmcost_analyzer.classes import PROPERTIES, decorator_names
from llmcost_analyzer.effects import EffectReader, Site
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, Scope, callee_name
from llmcost_analyzer.frameworks import FRAMEWORKS, Framework
from llmcost_analyzer.index import Index
from llmcost_analyzer.sinks import Sinks
from llmcost_analyzer.values import Instance, Ref, Sdk

_TELLING: Final = 6
_FEW: Final = 2
"""A property is known by its name where it has this many letters and at most this many classes define it."""
_PASSES: Final = 2
"""The second pass knows what the first could not while it was going round in circles."""


@dataclass(slots=True)
class Node:
    """What is known of one function.

    ``callees`` are the functions of the project through which it reaches a model; ``hops`` the least number of them
    up to a direct call (0: it calls itself).
    """

    ref: Ref
    sites: list[Site] = field(default_factory=list)
    callees: dict[Ref, int] = field(default_factory=dict)
    hops: int = -1
    spawns: bool = False


class CallGraph:
    """Finds calls and who reaches them."""

    def __init__(self, index: Index, sinks: Sinks) -> None:
        self.index = index
        self.sinks = sinks
        self.evaluator = Evaluator(index, sinks)
        self.nodes: dict[Ref, Node] = {}
        self._callers: dict[Ref, dict[Ref, int]] = defaultdict(dict)
        self._effects = EffectReader(self.evaluator)
        self._property_names = self._telling_properties()

    def build(self) -> dict[Ref, Node]:
        """All functions that reach a model."""
        for _ in range(_PASSES):
            self.evaluator.next_pass()
            self.nodes.clear()
            self._callers.clear()
            self._collect()
            for ref, scope in self.index.all_scopes():
                self._scan_scope(ref, scope)
        self._spread()
        return {ref: node for ref, node in self.nodes.items() if node.hops >= 0}

    def _telling_properties(self) -> dict[str, list[Ref]]:
        """Properties whose names few classes have."""
        out: dict[str, list[Ref]] = {}
        for name, refs in self.index.defs.items():
            if name in known.COMMON_NAMES or len(name) < _TELLING or len(refs) > _FEW:
                continue
            properties = [ref for ref in refs if decorator_names(self.index.scope(ref)) & PROPERTIES]
            if len(properties) == len(refs):
                out[name] = properties
        return out

    # --- one scope ----------------------------------------------------------------------------------------------

    def _scan_scope(self, ref: Ref, scope: Scope) -> None:
        owner = self._named_owner(ref)
        for call in scope.calls:
            effects = self._effects.of(ref, call)
            if effects.sites:
                self._node(owner).sites.extend(effects.sites)
            for target in effects.runs:
                self._edge(owner, target, call[4])
            if callee_name(call[1]) in known.STARTS_WORK:
                self._node(owner).spawns = True
        self._properties(owner, scope)

    def _named_owner(self, ref: Ref) -> Ref:
        """The function that a lambda's calls are told of: the one around it."""
        while self.index.scope(ref).kind == "lambda":
            ref = self.index.parent(ref) or ref
        return ref

    def _node(self, ref: Ref) -> Node:
        return self.nodes.setdefault(ref, Node(ref))

    def _edge(self, caller: Ref, target: Ref, line: int) -> None:
        target = self._named_owner(target) if self.index.scope(target).kind == "lambda" else target
        if caller != target:
            self._callers[target].setdefault(caller, line)

    def _properties(self, owner: Ref, scope: Scope) -> None:
        """Reading a property runs it; which object's is told by its name alone."""
        for name in scope.reads & self._property_names.keys():
            for ref in self._property_names[name]:
                self._edge(owner, ref, scope.line)

    # --- frameworks that run the project's functions ------------------------------------------------------------

    def _collect(self) -> None:
        """Functions that are handed to an object which runs them later: graph nodes, pipeline components."""
        names = {name for kind in self.sinks.kinds.values() for name in kind.collects}
        for name in sorted(names):
            for ref, call in self.index.calls.get(name, ()):
                self._collect_from(ref, call)

    def _collect_from(self, ref: Ref, call: Expr) -> None:
        func = call[1]
        if func is None or func[0] != "attr":
            return
        for value in self.evaluator.value(ref, func[1]):
            if isinstance(value, Sdk) and func[2] in self.sinks.kinds[value.kind].collects:
                into = self.evaluator.collected.setdefault(value.origin, set())
                for arg in [*call[2], *(v for _, v in call[3])]:
                    into |= self.evaluator.value(ref, arg)

    # --- reach --------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """From direct calls to their callers, nearest first."""
        self._framework_edges()
        queue = deque(sorted(ref for ref, node in self.nodes.items() if node.sites))
        for ref in queue:
            self.nodes[ref].hops = 0
        while queue:
            target = queue.popleft()
            for caller in self._callers.get(target, ()):
                node = self._node(caller)
                node.callees.setdefault(target, self._callers[target][caller])
                if node.hops < 0:
                    node.hops = self.nodes[target].hops + 1
                    queue.append(caller)

    def _framework_edges(self) -> None:
        for framework in FRAMEWORKS:
            for ref, scope in self.index.all_scopes():
                if scope.kind == "class" and self._derives(ref, framework):
                    self._apply(framework, ref)

    def _derives(self, ref: Ref, framework: Framework) -> bool:
        return any(framework.matches(path) for path in self.evaluator.classes.external_bases(ref))

    def _apply(self, framework: Framework, ref: Ref) -> None:
        """Calls of the framework's entry methods on instances of a class run the methods that the class marks."""
        targets = self._marked(framework, ref)
        if not targets:
            return
        for name in framework.entries:
            for caller, call in self.index.calls.get(name, ()):
                func = call[1]
                base = func[1] if func is not None and func[0] == "attr" else func
                for value in self.evaluator.value(caller, base):
                    if isinstance(value, Instance) and (
                        value.ref == ref or ref in self.evaluator.classes.subclasses(value.ref)
                    ):
                        for target in targets:
                            self._edge(self._named_owner(caller), target, call[4])

    def _marked(self, framework: Framework, ref: Ref) -> list[Ref]:
        out = []
        for scope in self.index.files[ref[0]].scopes:
            if scope.kind != "function" or scope.parent != ref[1]:
                continue
            if scope.name in framework.methods or decorator_names(scope) & framework.decorators:
                out.append((ref[0], scope.index))
        return out
