"""Answers that outlive a scan: what each call does, what each class derives from, what the labels rest on.

With each answer is kept what it rests on. After a change of a few files those that rest on nothing that changed are
taken as they are; the others are worked out again, from values on the way to them that are kept in the same manner.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from llmcost_analyzer.index import Index, Input
from llmcost_analyzer.layers import Kept, Layer, layer_of
from llmcost_analyzer.packed import Key, Packer
from llmcost_analyzer.solve import Solver
from llmcost_analyzer.values import Values

VALUES: Final = frozenset({"param", "returned", "attribute", "global", "member", "stored"})
"""Kinds of questions whose values are kept: those that one scope asks about another. What is asked inside of a scope
follows from them in a few steps."""


class Answers:
    """Gives answers: those from before that still hold, else those of the solver.

    There are two rounds. The classes come first: their bases are answered in a round of their own, so that all that
    follows knows every subclass.

    Attributes:
        loose: what was looked up on the way to nothing that is kept.
    """

    def __init__(self, index: Index, before: Kept | None = None) -> None:
        self.solver = Solver(index.notes)
        self._index = index
        self._packer = Packer(index)
        self._before = before or Kept()
        self._holds = self._before.holding()
        self._recalls = False
        self._recalled: dict[Key, tuple[Input, Values]] = {}
        self._forgotten: dict[str, Any] = {}
        self._used: set[str] = set()
        self._earlier: dict[str, Any] = {}
        self._made: dict[str, Any] = {}
        self._layers: list[Layer] = []
        self._facts: dict[Input, Any] = {}
        self.loose: set[Input] = set()

    def get(self, key: str, work: Callable[[], Any], start: Any) -> Any:
        """An answer by its key; ``work`` and ``start`` as for the solver. The answer holds no number of a scope."""
        number = self._holds.get(key)
        if number is None and key not in self._earlier:
            answer = self._made[key] = self.solver.ask(key, work, start)
            return answer
        self._used.add(key)
        self._index.notes.current.add(("answer", key))
        return self._earlier[key] if number is None else self._before.layers[number].answers[key]

    def value(self, key: Key, work: Callable[[], Values]) -> Values:
        """A value by its key, of one of the kinds that are kept; ``work`` as for the solver."""
        if self._recalls and not self.solver.asked(key):
            known = self._recalled.get(key) or self._recall(key)
            if known is not None:
                self._index.notes.current.add(known[0])
                return known[1]
        answer: Values = self.solver.ask(key, work)
        return answer

    def _recall(self, key: Key) -> tuple[Input, Values] | None:
        """A value from before, where it still holds."""
        name = self._packer.name(key)
        number = self._holds.get(name)
        if number is None:
            return None
        try:
            values = self._packer.unpack(self._before.layers[number].values[name])
        except KeyError:  # a scope went away on which the value is not known to rest
            del self._holds[name]
            return None
        found = self._recalled[key] = ("answer", name), values
        return found

    def next_round(self) -> None:
        """Go on with a new solver: what was worked out so far stands only as answers."""
        self._end_round({})
        was = self._forgotten
        self._forget({("answer", key) for key in was if self._earlier.get(key) != was[key]})
        self.solver = Solver(self._index.notes)
        self._recalls = bool(self._before.layers)

    def _end_round(self, values: Mapping[str, tuple[int, bytes]]) -> None:
        made = {key: self.solver.ask(key, _no_work) for key in self._made}
        self._layers.append(layer_of(self._index, self.solver, made, values))
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
        """Forget what rests on things that changed, and what rests on values that are forgotten."""
        out: dict[str, Any] = {}
        while changed:
            gone = {
                name: layer.answers.get(name)
                for number, layer in self._before.layers.items()
                for name in layer.resting_on(changed)
                if self._holds.get(name) == number and (among is None or name in among)
            }
            for name in gone:
                del self._holds[name]
            out |= gone
            changed = {("answer", name) for name in gone if _kind(name) in VALUES}
        return out

    def facts(self, table: str, rows: Mapping[str, Any]) -> None:
        """Things that were worked out from answers of the first round, and that others rest on."""
        before = {name: value for (of, name), value in self._before.facts.items() if of == table}
        names = {**before, **rows}
        self._forget({(table, name) for name in names if before.get(name) != rows.get(name)})
        self._facts |= {(table, name): value for name, value in rows.items()}

    # --- for the next scan --------------------------------------------------------------------------------------

    def kept(self) -> Kept:
        """All answers that were given, and all values that hold, for the next scan."""
        self._end_round(self._values())
        first = {*self._layers[0].answers} | (self._before.first_round & self._used)
        out = Kept(facts=self._facts, first_round=first)
        for number, layer in self._before.layers.items():
            gone = {name for name in layer.answers if name not in self._used or self._holds.get(name) != number}
            gone |= {name for name in layer.values if self._holds.get(name) != number}
            out.add(number, layer, gone)
        for number, layer in enumerate(self._layers, start=max(self._before.layers, default=0) + 1):
            out.add(number, layer, set())
            if number not in out.layers:
                self.loose |= layer.inputs.keys()
        return out

    def _values(self) -> dict[str, tuple[int, bytes]]:
        """The values that were worked out, packed, with their numbers."""
        packer = self._packer
        return {
            packer.name(key): (number, packer.pack(answer))
            for key, number, answer in self.solver.sure()
            if key[0] in VALUES
        }


def _kind(name: str) -> str:
    return name.partition("\n")[0]


def _no_work() -> Any:
    raise AssertionError("the answer is there")
