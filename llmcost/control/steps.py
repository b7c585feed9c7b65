"""Steps of the engine that wait for something: one generator, a driver for threads and one for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from llmcost.control.callbacks import CallbackRunner
from llmcost.control.ledger import LedgerFailure

T = TypeVar("T")


class Ask(NamedTuple):
    """What the engine cannot do by itself: talk to the ledger, or call the user back."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    callback: bool = False


Steps = Generator[Ask, Any, T]


def attempt(function: Callable[..., T], *arguments: Any) -> T | LedgerFailure:
    """What the ledger says, or its failure as a value."""
    try:
        return function(*arguments)
    except LedgerFailure as failure:
        return failure


def drive(steps: Steps[T], runner: CallbackRunner) -> T:
    """Take the steps in this thread."""
    answer: Any = None
    try:
        while True:
            ask = steps.send(answer)
            if ask.callback:
                answer = runner.run(ask.function, *ask.arguments)
            else:
                answer = attempt(ask.function, *ask.arguments)
    except StopIteration as done:
        result: T = done.value
        return result


async def drive_async(steps: Steps[T], runner: CallbackRunner, *, network: bool) -> T:
    """Take the steps in an event loop; what waits for a network runs in a thread."""
    answer: Any = None
    try:
        while True:
            ask = steps.send(answer)
            if ask.callback:
                answer = await runner.run_async(ask.function, *ask.arguments)
            elif network:
                answer = await asyncio.to_thread(attempt, ask.function, *ask.arguments)
            else:
                answer = attempt(ask.function, *ask.arguments)
    except StopIteration as done:
        result: T = done.value
        return result
