"""Labels for all functions of a call graph, from the direct calls outwards."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import astuple

from llmcost_analyzer.callgraph import CallGraph, Node
from llmcost_analyzer.entries import WRAPPER_LABEL
from llmcost_analyzer.labelers.choose import LATER, Choice, choose
from llmcost_analyzer.labelers.evidence import Evidence, Reader
from llmcost_analyzer.values import External, Ref


def assign(
    graph: CallGraph, nodes: Mapping[Ref, Node], known: Mapping[bytes, Choice]
) -> tuple[dict[Ref, Choice], dict[bytes, Choice]]:
    """A label for each function; callees are labelled first, because what they do says what their callers do.

    Args:
        graph: the call graph.
        nodes: its functions.
        known: choices of the last scan, by the evidence that they rest on.

    Returns:
        The labels, and the choices to be known to the next scan.
    """
    reader = Reader(graph)
    out: dict[Ref, Choice] = {}
    used: dict[bytes, Choice] = {}

    def label(ref: Ref, callees: Mapping[str, float]) -> None:
        evidence = _evidence(graph, reader, nodes[ref])
        key = _key(evidence, callees)
        choice = used[key] = known.get(key) or choose(evidence, callees)
        out[ref] = _declared(graph, ref) or choice

    again: list[Ref] = []
    for ref in sorted(nodes, key=lambda r: (nodes[r].hops, r)):
        nearer = _nearer(ref, nodes)
        callees = _callee_labels(nodes[ref], out, nearer)
        label(ref, callees if nearer == nodes[ref].callees.keys() else {**callees, LATER: 0.0})
        again += [ref] if nearer != nodes[ref].callees.keys() else []
    for ref in again:
        if out[ref].label == WRAPPER_LABEL:  # what forwards any prompt does so wherever it comes to
            continue
        label(ref, _callee_labels(nodes[ref], out, nodes[ref].callees.keys() - {ref}))
    return out, used


def _nearer(ref: Ref, nodes: Mapping[Ref, Node]) -> AbstractSet[Ref]:
    """The callees that are nearer to a model, and so are labelled before."""
    hops = max(nodes[ref].hops, 1)
    return {callee for callee in nodes[ref].callees if callee in nodes and nodes[callee].hops < hops}


def _evidence(graph: CallGraph, reader: Reader, node: Node) -> Evidence:
    """What is known of a function; from the last scan, where that still holds."""
    calls = sorted((site.library, site.operation, site.model) for site in node.sites)
    callees = sorted(graph.index.place(ref) for ref in node.callees)
    about = hashlib.sha256(repr((calls, callees)).encode()).hexdigest()[:16]
    key = f"evidence:{graph.index.place(node.ref)}:{about}"
    found: Evidence = graph.evaluator.answers.get(key, lambda: reader.read(node), None)
    return found


def _key(evidence: Evidence, callees: Mapping[str, float]) -> bytes:
    """The same for the same evidence, whatever the order of its sets."""
    values = [sorted(v) if isinstance(v, frozenset) else v for v in astuple(evidence)]
    return hashlib.sha256(repr((values, sorted(callees.items()))).encode("utf-8", "surrogatepass")).digest()


def _declared(graph: CallGraph, ref: Ref) -> Choice | None:
    """The label that stands in the source, as ``@llmcost.label("...")``."""
    outside = graph.index.parent(ref) or ref
    for decorator in graph.index.scope(ref).decorators:
        if decorator is not None and decorator[0] == "call" and decorator[2]:
            found = graph.evaluator.value(outside, decorator[1])
            label = decorator[2][0]
            if External("llmcost.label") in found and label is not None and label[0] == "text":
                return Choice(label[1], 1.0, "stands in the source")
    return None


def _callee_labels(node: Node, labels: Mapping[Ref, Choice], seen: AbstractSet[Ref]) -> dict[str, float]:
    """What the callees are for; a function of many different tasks runs a team of them.

    Callees that forward any prompt have no weight. What sends both texts and prompts on is as general as they are.
    """
    weights: dict[str, float] = defaultdict(float)
    for ref in node.callees:
        choice = labels.get(ref) if ref in seen else None
        if choice is not None and choice.label != WRAPPER_LABEL:
            weights[choice.label] = max(weights[choice.label], 2.5 * choice.confidence + 0.5)
    if len(weights) >= 3:
        weights = defaultdict(float, {label: weight * 0.5 for label, weight in weights.items()})
        weights["agent_orchestration"] += 1.5 + 0.4 * len(weights)
    if any(ref in labels and labels[ref].label == WRAPPER_LABEL for ref in node.callees):
        weights = defaultdict(float) if weights.keys() == {"embedding"} else weights
        weights[WRAPPER_LABEL] = 0.0
    return dict(weights)
