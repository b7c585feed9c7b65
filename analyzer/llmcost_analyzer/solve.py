"""Answers to questions that ask each other, in circles too.

An answer is a function of the answers to other questions. The first time a question is asked it is worked out; one
that is being worked out already, or stands too deep, is answered with what is known so far, and who read that works
again when it changes. Once nothing changes any more all answers fit together, whichever was asked first, and are kept.

What each answer rests on is noted, other answers and names and scopes of the project alike, so that a later scan knows
which answers a change of a file leaves as they are.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

DEPTH: Final = 100
"""How many questions stand on each other before the next one has to wait: a matter of the stack, not of the answer."""
_MOST_RUNS: Final = 40
"""An answer that still changes after so many times (a text that grows in a circle) is taken as it is."""
_MOST_AGAIN: Final = 20_000
"""So many times in all is worked again for one question from outside. Only circles through the whole of a very large
project, by the names that everything has, take more; nothing useful comes to light in them after that."""


class Notes:
    """What the answer that is being worked out rests on; what is looked up outside of any answer comes on top."""

    def __init__(self) -> None:
        self.outside: set[Any] = set()
        self.current = self.outside


class _Question:
    __slots__ = ("answer", "number", "readers", "rests", "runs", "sure", "waits", "work")

    def __init__(self, number: int, work: Callable[[], Any], start: Any) -> None:
        self.number = number
        self.work: Callable[[], Any] = work
        self.answer = start
        self.rests: set[Any] = set()
        self.readers: dict[_Question, None] | None = {}
        self.runs = 0
        self.waits = False
        self.sure = True


class Solver:
    """Works out answers and keeps them.

    Attributes:
        inputs: numbers of the names and scopes that answers rest on.
        edges: pairs of numbers, one after the other: what is rested on, and what rests on it.
    """

    def __init__(self, notes: Notes) -> None:
        self.inputs: dict[Any, int] = {}
        self.edges = array("I")
        self.count = 0
        self._notes = notes
        self._questions: dict[object, _Question] = {}
        self._open: list[_Question] = []
        self._waiting: deque[_Question] = deque()
        self._running: _Question | None = None
        self._depth = 0

    def ask(self, key: object, work: Callable[[], Any], start: Any = frozenset()) -> Any:
        """The answer to a question.

        Args:
            key: what is asked.
            work: gives the answer; it asks others, and is a function of their answers alone.
            start: what is answered while nothing is known.
        """
        question = self._questions.get(key)
        if question is None:
            question = self._questions[key] = _Question(self._number(), work, start)
            self._open.append(question)
            if self._depth < DEPTH:
                self._run(question)
            else:
                self._wait(question)
            if not self._depth:
                self._settle()
        self._notes.current.add(question.number)
        if question.readers is not None and self._running is not None:
            question.readers[self._running] = None
        return question.answer

    def number(self, key: object) -> int:
        """The number of a question that was asked."""
        return self._questions[key].number

    def asked(self, key: object) -> bool:
        """Whether a question was asked."""
        return key in self._questions

    def sure(self) -> Iterator[tuple[Any, int, Any]]:
        """Questions with their numbers and answers; those are left out that may rest on what was asked first."""
        for key, question in self._questions.items():
            if question.sure:
                yield key, question.number, question.answer

    def _number(self) -> int:
        self.count += 1
        return self.count - 1

    def _run(self, question: _Question) -> None:
        outer, before = self._running, self._notes.current
        self._running, self._notes.current = question, question.rests
        self._depth += 1
        try:
            answer = question.work()
        finally:
            self._depth -= 1
            self._running, self._notes.current = outer, before
        question.runs += 1
        if answer != question.answer:
            question.answer = answer
            readers, question.readers = question.readers or {}, {}
            for reader in readers:
                self._wait(reader)

    def _wait(self, question: _Question) -> None:
        if not question.waits and question.runs < _MOST_RUNS:
            question.waits = True
            self._waiting.append(question)

    def _settle(self) -> None:
        """Work again until nothing changes; all that was asked is final then."""
        again = 0
        unsure: list[_Question] = []
        while self._waiting:
            question = self._waiting.popleft()
            question.waits = False
            if question.runs and again >= _MOST_AGAIN:
                unsure.append(question)
                continue
            again += bool(question.runs)
            self._depth += 1
            self._run(question)
            self._depth -= 1
        unsure += [question for question in self._open if question.runs >= _MOST_RUNS]
        self._doubt(unsure)
        for question in self._open:
            self._close(question)
        self._open.clear()

    def _doubt(self, todo: list[_Question]) -> None:
        """Note that questions never came to an end, and which ones rest on them."""
        readers: dict[int, list[_Question]] = {}
        for question in self._open if todo else ():
            for on in question.rests:
                if isinstance(on, int):
                    readers.setdefault(on, []).append(question)
        while todo:
            question = todo.pop()
            if question.sure:
                question.sure = False
                todo += readers.get(question.number, ())

    def _close(self, question: _Question) -> None:
        for on in question.rests:
            number = on if isinstance(on, int) else self.inputs.get(on)
            if number is None:
                number = self.inputs[on] = self._number()
            self.edges.append(number)
            self.edges.append(question.number)
        question.readers = None
        del question.work, question.rests
