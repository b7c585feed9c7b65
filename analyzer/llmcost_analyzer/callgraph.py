"""Which functions call a model: directly, or through the project's own functions."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from llmcost_analyzer import passing as known
from llmcost_analyzer.candidates import Candidates
from llmcost_analyzer.classes import decorator_names
from llmcost_analyzer.effects import EffectReader
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.frameworks import FRAMEWORKS, Framework
from llmcost_analyzer.index import Index
from llmcost_analyzer.layers import Kept
from llmcost_analyzer.reuse import Rests, rests_on
from llmcost_analyzer.sinks import Sinks
from llmcost_analyzer.sites import Site
from llmcost_analyzer.values import Instance, Ref, in_turn


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

    def __init__(self, index: Index, sinks: Sinks, before: Kept | None = None) -> None:
        self.index = index
        self.sinks = sinks
        self.evaluator = Evaluator(index, sinks, before)
        self.nodes: dict[Ref, Node] = {}
        self._effects = EffectReader(self.evaluator)
        self._candidates = Candidates(self.evaluator)
        self._callers: dict[Ref, dict[Ref, int]] = defaultdict(dict)
        self._seen: set[int] = set()
        self._reached: set[Ref] = set()
        self._queue: deque[Ref] = deque()

    def build(self) -> dict[Ref, Node]:
        """All functions that reach a model."""
        self._find()
        self._spread()
        return {ref: self._without_lambdas(node) for ref, node in self.nodes.items() if self._is_told(node)}

    def rests(self) -> Rests:
        """What the result rests on, beside what the answers do."""
        out = rests_on(self.index, self._candidates.request_names(), self.sinks.function_heads)
        out.inputs |= self.evaluator.answers.loose
        return out

    def _find(self) -> None:
        self.evaluator.classes.find()
        names = {name for kind in self.sinks.kinds.values() for name in kind.collects}
        self._effects.collected.collect(item for name in sorted(names) for item in self.index.calls.get(name, ()))
        self._framework_edges()
        for ref, call in self._candidates.requests():
            self._evaluate(ref, call)
        for ref in self._candidates.decorated():
            self._reach(ref)
        if self.nodes or self._candidates.callable_objects() or self._candidates.handed_on():
            for ref, call in self._candidates.of_values():
                self._evaluate(ref, call)
        while self._queue:
            self._follow(self._queue.popleft())

    def _follow(self, target: Ref) -> None:
        """Look at everything that may run a function which reaches a model."""
        for ref, call in self._candidates.callers(target):
            self._evaluate(ref, call)
        for reader in self._candidates.readers(target):
            self._edge(self._named_owner(reader), target, self.index.scope(reader).line)
        for caller in list(self._callers.get(target, ())):
            self._reach(caller)

    def _evaluate(self, ref: Ref, call: Expr) -> None:
        if id(call) in self._seen:
            return
        self._seen.add(id(call))
        effects = self._effects.of(ref, call)
        if not effects.sites and not effects.runs:
            return
        for owner in {ref, self._named_owner(ref)}:
            if effects.sites:
                self._node(owner).sites.extend(effects.sites)
                self._reach(owner)
            for target in effects.runs:
                self._edge(owner, target, call[4])

    def _named_owner(self, ref: Ref) -> Ref:
        """The function that a lambda's calls are told of: the one around it.

        The lambda counts for itself too: who runs ``lambda row: row.key`` does not run all of the function around it.
        """
        while self.index.scope(ref).kind == "lambda":
            ref = self.index.parent(ref) or ref
        return ref

    def _node(self, ref: Ref) -> Node:
        return self.nodes.setdefault(ref, Node(ref))

    def _edge(self, caller: Ref, target: Ref, line: int) -> None:
        if caller != target:
            self._callers[target][caller] = min(line, self._callers[target].get(caller, line))
            if target in self._reached:
                self._reach(caller)

    def _reach(self, ref: Ref) -> None:
        if ref not in self._reached:
            self._reached.add(ref)
            self._queue.append(ref)

    # --- functions that other objects run -----------------------------------------------------------------------

    def _framework_edges(self) -> None:
        for ref, scope in self.index.all_scopes():
            if scope.kind == "class" and scope.bases:
                paths = self.evaluator.classes.external_bases(ref)
                for framework in FRAMEWORKS:
                    if any(framework.matches(path) for path in paths):
                        self._apply(framework, ref)

    def _apply(self, framework: Framework, ref: Ref) -> None:
        """Calls of the framework's entry methods on instances of a class run the methods that the class marks."""
        targets = self._marked(framework, ref)
        if not targets:
            return
        for name in sorted(framework.entries):
            for caller, call in self.index.calls.get(name, ()):
                func = call[1]
                base = func[1] if func is not None and func[0] == "attr" else func
                for value in in_turn(self.evaluator.value(caller, base)):
                    if isinstance(value, Instance) and ref in (
                        value.ref,
                        *self.evaluator.classes.subclasses(value.ref),
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

    # --- reach --------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """From direct calls to their callers, nearest first.

        What a store embeds inside is told of the function that asks the store, not of its callers: few of the stores
        that a program can use embed by themselves.
        """
        queue = deque(sorted(ref for ref, node in self.nodes.items() if not all(site.inside for site in node.sites)))
        for ref in queue:
            self.nodes[ref].hops = 0
        while queue:
            target = queue.popleft()
            for caller, line in sorted(self._callers.get(target, {}).items()):
                node = self._node(caller)
                node.callees.setdefault(target, line)
                if node.hops < 0:
                    node.hops = self.nodes[target].hops + 1
                    queue.append(caller)
        for node in self.nodes.values():
            if node.sites and node.hops < 0:
                node.hops = 0
        for ref, node in self.nodes.items():
            node.spawns = self._spawns(ref)

    def _is_told(self, node: Node) -> bool:
        return node.hops >= 0 and self.index.scope(node.ref).kind != "lambda"

    def _without_lambdas(self, node: Node) -> Node:
        """A function that reaches a model through a lambda does so through the function around that."""
        callees: dict[Ref, int] = {}
        for ref, line in node.callees.items():
            owner = self._named_owner(ref)
            if owner != node.ref:
                callees[owner] = min(line, callees.get(owner, line))
        node.callees = callees
        return node

    def _spawns(self, ref: Ref) -> bool:
        """Whether a function, or a lambda in it, starts threads or tasks."""
        scopes = [self.index.scope(ref)]
        scopes += [s for s in self.index.files[ref[0]].scopes if s.kind == "lambda" and s.parent == ref[1]]
        return any(callee_name(call[1]) in known.STARTS_WORK for scope in scopes for call in scope.calls)
