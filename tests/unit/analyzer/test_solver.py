"""Answers to questions that ask each other do not depend on which is asked first."""

import random

import pytest

from llmcost_analyzer.solve import DEPTH, Notes, Solver


class Graph:
    """Questions that join what they hold themselves with the answers of others."""

    def __init__(self, holds: dict[int, str], asks: dict[int, list[int]]) -> None:
        self.solver = Solver(Notes())
        self._holds, self._asks = holds, asks

    def answer(self, number: int) -> frozenset[str]:
        found: frozenset[str] = self.solver.ask(number, lambda: self._work(number))
        return found

    def _work(self, number: int) -> frozenset[str]:
        own = frozenset([self._holds[number]] if number in self._holds else [])
        return own.union(*(self.answer(other) for other in self._asks.get(number, ())))


def reachable(start: int, holds: dict[int, str], asks: dict[int, list[int]]) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        for other in asks.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return {holds[number] for number in seen if number in holds}


def test_a_circle_gives_all_of_its_questions_the_same_answer() -> None:
    graph = Graph({0: "a", 2: "c"}, {0: [1], 1: [2], 2: [0]})
    assert graph.answer(1) == {"a", "c"}
    assert graph.answer(0) == graph.answer(2) == {"a", "c"}


@pytest.mark.parametrize("times", [1, 7])
def test_a_chain_is_followed_to_its_end(times: int) -> None:
    last = DEPTH * times + 3
    graph = Graph({last: "end"}, {number: [number + 1] for number in range(last)})
    assert graph.answer(0) == {"end"}
    assert graph.answer(DEPTH // 2) == {"end"}


@pytest.mark.parametrize("seed", range(20))
def test_answers_do_not_depend_on_the_order_of_asking(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice([5, 40, 3 * DEPTH])
    holds = {number: str(number) for number in range(size) if chance.random() < 0.1}
    asks = {number: [chance.randrange(size) for _ in range(chance.randrange(4))] for number in range(size)}
    asks |= {number: [*asks[number], number + 1] for number in range(size - 1) if chance.random() < 0.95}
    graph = Graph(holds, asks)
    for number in chance.sample(range(size), size):
        assert graph.answer(number) == reachable(number, holds, asks)


def test_what_an_answer_rests_on_is_noted_through_all_questions_between() -> None:
    notes = Notes()
    solver = Solver(notes)

    def inner() -> frozenset[str]:
        notes.current.add(("bind", "x"))
        return frozenset("x")

    solver.ask("outer", lambda: solver.ask("inner", inner))
    pairs = list(zip(solver.edges[::2], solver.edges[1::2], strict=True))
    name, first, second = solver.inputs["bind", "x"], solver.number("inner"), solver.number("outer")
    assert {(name, first), (first, second)} <= set(pairs)
    assert notes.outside == {second}
