"""Answers that outlive a scan: what each call does, what each class derives from, what the labels rest on.

With each answer is kept what it rests on. After a change of a few files those that rest on nothing that changed are
taken as they are; the others are worked out again.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmcost_analyzer.index import Index, Input
from llmcost_analyzer.solve import Solver


@dataclass(slots=True)
class Layer:
    """What the answers of one run of the solver rest on.

    Attributes:
        inputs: numbers of the things that are rested on.
        answers: answers by number.
        starts: where in ``readers`` those of each number begin; one more at the end.
        readers: numbers of what rests on each number, one after the other.
    """

    inputs: dict[Input, int]
    answers: dict[int, str]
    starts: array[int]
    readers: array[int]

    def resting_on(self, changed: Iterable[Input]) -> set[str]:
        """The answers that rest on any of the inputs."""
        todo = [self.inputs[item] for item in changed if item in self.inputs]
        seen = set(todo)
        while todo:
            at = todo.pop()
            for reader in self.readers[self.starts[at] : self.starts[at + 1]]:
                if reader not in seen:
                    seen.add(reader)
                    todo.append(reader)
        return {self.answers[number] for number in seen if number in self.answers}


@dataclass(slots=True)
class Kept:
    """The answers of earlier scans.

    Attributes:
        layers: what they rest on.
        answers: by key, the number of the layer and the answer.
        facts: further things that answers rest on, with what they were.
        first_round: keys of the answers on which others rest.
    """

    layers: list[Layer] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    facts: dict[Input, Any] = field(default_factory=dict)
    first_round: set[str] = field(default_factory=set)

    def add(self, layer: Layer, answers: Mapping[str, Any]) -> None:
        """Add a layer, where any answer is left in it."""
        if answers:
            self.answers |= {key: (len(self.layers), answer) for key, answer in answers.items()}
            self.layers.append(layer)


class Answers:
    """Gives answers: those from before that still hold, else those of the solver.

    There are two rounds. The classes come first: their bases are answered in a round of their own, so that all that
    follows knows every subclass.
    """

    def __init__(self, index: Index, before: Kept | None = None) -> None:
        self.solver = Solver(index.notes)
        self._index = index
        self._before = before or Kept()
        self._holds = {key: answer for key, (_, answer) in self._before.answers.items()}
        self._forgotten: dict[str, Any] = {}
        self._used: set[str] = set()
        self._earlier: dict[str, Any] = {}
        self._made: dict[str, Any] = {}
        self._layers: list[tuple[Layer, dict[str, Any]]] = []
        self._facts: dict[Input, Any] = {}

    def get(self, key: str, work: Callable[[], Any], start: Any) -> Any:
        """An answer by its key; ``work`` and ``start`` as for the solver. The answer holds no number of a scope."""
        known = self._holds if key in self._holds else self._earlier
        if key in known:
            self._used.add(key)
            self._index.notes.current.add(("answer", key))
            return known[key]
        answer = self._made[key] = self.solver.ask(key, work, start)
        return answer

    def next_round(self) -> None:
        """Go on with a new solver: what was worked out so far stands only as answers."""
        self._end_round()
        was = self._forgotten
        self._forget({("answer", key) for key in was if self._earlier.get(key) != was[key]})
        self.solver = Solver(self._index.notes)

    def _end_round(self) -> None:
        made = {key: self.solver.ask(key, _no_work) for key in self._made}
        self._layers.append((_layer(self._index, self.solver, made), made))
        self._earlier.update(made)
        self._made = {}

    # --- what changed -------------------------------------------------------------------------------------------

    def change(self, inputs: Iterable[Input]) -> None:
        """Forget the answers that rest on things that changed; to be called in the first round."""
        first = self._before.first_round
        gone = self._forget(set(inputs))
        while gone:
            self._forgotten |= {key: answer for key, answer in gone.items() if key in first}
            gone = self._forget({("answer", key) for key in gone}, first)

    def _forget(self, changed: set[Input], among: Collection[str] | None = None) -> dict[str, Any]:
        gone = {
            key
            for number, layer in enumerate(self._before.layers)
            for key in layer.resting_on(changed)
            if key in self._holds and self._before.answers[key][0] == number and (among is None or key in among)
        }
        return {key: self._holds.pop(key) for key in gone}

    def facts(self, table: str, rows: Mapping[str, Any]) -> None:
        """Things that were worked out from answers of the first round, and that others rest on."""
        before = {name: value for (of, name), value in self._before.facts.items() if of == table}
        names = {**before, **rows}
        self._forget({(table, name) for name in names if before.get(name) != rows.get(name)})
        self._facts |= {(table, name): value for name, value in rows.items()}

    # --- for the next scan --------------------------------------------------------------------------------------

    def kept(self) -> Kept:
        """All answers that were given, for the next scan."""
        self._end_round()
        out = Kept(facts=self._facts, first_round={*self._layers[0][1]} | (self._before.first_round & self._used))
        still: list[dict[str, Any]] = [{} for _ in self._before.layers]
        for key in self._used & self._before.answers.keys():
            number, answer = self._before.answers[key]
            still[number][key] = answer
        for layer, mine in zip(self._before.layers, still, strict=True):
            out.add(layer, mine)
        for layer, made in self._layers:
            out.add(layer, made)
        return out


def _no_work() -> Any:
    raise AssertionError("the answer is there")


def _layer(index: Index, solver: Solver, made: Iterable[str]) -> Layer:
    inputs = {index.named(item): number for item, number in solver.inputs.items()}
    answers = {solver.number(key): key for key in made}
    count = [0] * (solver.count + 1)
    for source in solver.edges[::2]:
        count[source] += 1
    starts = array("I", itertools.accumulate(count, initial=0))
    readers = array("I", bytes(starts.itemsize * (len(solver.edges) // 2)))
    free = starts.tolist()
    for source, reader in zip(solver.edges[::2], solver.edges[1::2], strict=True):
        readers[free[source]] = reader
        free[source] += 1
    return Layer(inputs, answers, starts, readers)
