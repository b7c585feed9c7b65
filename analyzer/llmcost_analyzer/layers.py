"""Answers of earlier scans, in layers: each has what one run of the solver worked out, and what that rests on."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from llmcost_analyzer.cache import Cache
from llmcost_analyzer.index import Index, Input
from llmcost_analyzer.solve import Solver

_HEAD: Final = "answers"
Inputs = dict[Input, int]
"""Numbers of the names and scopes that a layer rests on."""


@dataclass(slots=True)
class Layer:
    """What one run of the solver worked out.

    Attributes:
        inputs: what it rests on.
        answers: by key.
        values: values on the way to the answers, packed, by name.
        numbers: keys and names by their number.
        starts: where in ``readers`` those of each number begin; one more at the end.
        readers: numbers of what rests on each number, one after the other.
    """

    inputs: Inputs
    answers: dict[str, Any]
    values: dict[str, bytes]
    numbers: dict[int, str]
    starts: array[int]
    readers: array[int]

    def resting_on(self, changed: Iterable[Input]) -> set[str]:
        """The answers and values that rest on any of the inputs."""
        todo = [self.inputs[item] for item in changed if item in self.inputs]
        seen = set(todo)
        while todo:
            at = todo.pop()
            for reader in self.readers[self.starts[at] : self.starts[at + 1]]:
                if reader not in seen:
                    seen.add(reader)
                    todo.append(reader)
        return {self.numbers[number] for number in seen if number in self.numbers}


@dataclass(slots=True)
class Kept:
    """The answers of earlier scans.

    Attributes:
        layers: by number; a number is given once.
        gone: what no longer holds of each layer, or is not asked for any more.
        facts: further things that answers rest on, with what they were.
        first_round: keys of the answers on which others rest.
    """

    layers: dict[int, Layer] = field(default_factory=dict)
    gone: dict[int, set[str]] = field(default_factory=dict)
    facts: dict[Input, Any] = field(default_factory=dict)
    first_round: set[str] = field(default_factory=set)

    def holding(self) -> dict[str, int]:
        """The layer of each answer and value that holds."""
        out: dict[str, int] = {}
        for number, layer in self.layers.items():
            out |= dict.fromkeys(layer.answers, number)
            out |= dict.fromkeys(layer.values, number)
            for name in self.gone[number]:
                if out.get(name) == number:
                    del out[name]
        return out

    def add(self, number: int, layer: Layer, gone: set[str]) -> None:
        """Add a layer, where anything is left of it."""
        if len(gone) < len(layer.answers) + len(layer.values):
            self.layers[number], self.gone[number] = layer, gone


def layer_of(
    index: Index, solver: Solver, answers: Mapping[str, Any], values: Mapping[str, tuple[int, bytes]]
) -> Layer:
    """What a solver worked out.

    Args:
        index: the index that it worked on.
        solver: the solver.
        answers: the answers to be kept, by key.
        values: the values to be kept, by name, with their numbers.
    """
    inputs = {index.named(item): number for item, number in solver.inputs.items()}
    numbers = {solver.number(key): key for key in answers} | {number: name for name, (number, _) in values.items()}
    starts, readers = _by_source(solver.count, solver.edges)
    return Layer(inputs, dict(answers), {name: data for name, (_, data) in values.items()}, numbers, starts, readers)


def _by_source(count: int, edges: array[int]) -> tuple[array[int], array[int]]:
    """Pairs of numbers, in the order of the first one: where those of each begin, and the second ones."""
    counts = [0] * (count + 1)
    for source in edges[::2]:
        counts[source] += 1
    starts = array("I", itertools.accumulate(counts, initial=0))
    readers = array("I", bytes(starts.itemsize * (len(edges) // 2)))
    free = starts.tolist()
    for source, reader in zip(edges[::2], edges[1::2], strict=True):
        readers[free[source]] = reader
        free[source] += 1
    return starts, readers


# --- in the cache -----------------------------------------------------------------------------------------------


def inputs_of(cache: Cache) -> dict[int, Inputs] | None:
    """What the layers in the cache rest on, which is enough to tell whether a change matters; None without any."""
    head = cache.kept(_HEAD)
    if head is None:
        return None
    found = {number: cache.kept(_inputs(number)) for number in head[0]}
    return None if None in found.values() else found


def load(cache: Cache, inputs: Mapping[int, Inputs]) -> Kept | None:
    """The layers in the cache.

    Args:
        cache: the cache.
        inputs: what they rest on.
    """
    head = cache.kept(_HEAD)
    rows = {number: cache.kept(_rest(number)) for number in inputs}
    if head is None or None in rows.values():
        return None
    return Kept({number: Layer(inputs[number], *row) for number, row in rows.items()}, *head)


def keep(cache: Cache, kept: Kept, before: Kept | None, others: Mapping[str, object]) -> None:
    """Keep layers in the cache.

    Args:
        cache: the cache.
        kept: the layers.
        before: the layers from the cache that they go on from; they are there still.
        others: what else is kept in the same step.
    """
    head = cache.kept(_HEAD)
    there = set() if before is None else set(before.layers)
    rows: dict[str, object] = {_HEAD: (kept.gone, kept.facts, kept.first_round), **others}
    for number in (set() if head is None else set(head[0])) - kept.layers.keys():
        rows |= {_inputs(number): None, _rest(number): None}
    for number in kept.layers.keys() - there:
        layer = kept.layers[number]
        rows[_inputs(number)] = layer.inputs
        rows[_rest(number)] = (layer.answers, layer.values, layer.numbers, layer.starts, layer.readers)
    cache.keep_all(rows)


def _inputs(number: int) -> str:
    return f"inputs {number}"


def _rest(number: int) -> str:
    return f"layer {number}"
