"""The user's own say in a budget: callbacks, sync or async, that a call waits for, but not for ever."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmcost.control.ledger.forks import rebuild_in_child

DEADLINE_S: Final = 0.5
"""How long a call waits for a callback."""

_MOST_RUNNING: Final = 128
"""Callbacks at once, those that hang included."""


@dataclass(frozen=True, slots=True)
class EnforcementContext:
    """What a callback is told. Money is in US dollars.

    Attributes:
        user_id: the user of the call, if it has one.
        budget: name of the budget, in its tightest window.
        limit, remaining, used: of that window; used counts what calls in flight hold.
        pct_used: share of the limit that is used, between 0 and 1 (above 1 where overspent).
        current_cost: what this call would hold.
        total_requests: calls counted in the window.
        window: ``daily``, ``rolling 24h`` ...
        resets_at: Unix time, or None for a total.
        label: the section of the code.
        model: the model asked for.
        scope, value: for whom the budget is.
    """

    user_id: str | None
    budget: str
    limit: float | None
    remaining: float | None
    used: float
    pct_used: float
    current_cost: float
    total_requests: int
    window: str
    resets_at: float | None
    label: str
    model: str
    scope: str = "global"
    value: str = ""


BudgetCheck = Callable[[EnforcementContext], Any]
"""``(ctx) -> (action, message)`` or an action alone; may be async. None means no opinion."""

ModelFilter = Callable[[EnforcementContext, Sequence[str]], Any]
"""``(ctx, models) -> models``: which of the models may be used; may be async. None means all."""

BudgetWarning = Callable[[EnforcementContext], Any]
"""``(ctx) -> None``: a threshold was crossed; may be async. Nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a callback: its value, or what went wrong."""

    value: Any = None
    failed: str | None = None


class CallbackRunner:
    """Runs callbacks with a deadline. One that hangs keeps a daemon thread, and never the program's exit.

    Args:
        deadline_s: how long a call waits.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._running = threading.Semaphore(_MOST_RUNNING)
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """The parent's threads are not here."""
        self._running = threading.Semaphore(_MOST_RUNNING)

    def run(self, callback: Callable[..., Any], *arguments: Any) -> Answer:
        """Call from a thread and wait, at most until the deadline. Async callbacks get a loop of their own."""
        answers = self.start(callback, *arguments)
        try:
            return answers.get(timeout=self._deadline_s)
        except queue.Empty:
            return self._late()

    async def run_async(self, callback: Callable[..., Any], *arguments: Any) -> Answer:
        """Call from an event loop: async callbacks run in it, others in a thread."""
        if not inspect.iscoroutinefunction(callback):
            return await asyncio.to_thread(self.run, callback, *arguments)
        task = asyncio.ensure_future(callback(*arguments))
        done, _ = await asyncio.wait({task}, timeout=self._deadline_s)
        if not done:
            task.cancel()
            return self._late()
        return _answer_of(task)

    def start(self, callback: Callable[..., Any], *arguments: Any) -> queue.SimpleQueue[Answer]:
        """Call in a thread, with the caller's context, without waiting; the answer comes in the queue."""
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        running = self._running
        if not running.acquire(timeout=self._deadline_s):
            answers.put(Answer(failed=f"{_MOST_RUNNING} callbacks are still running"))
            return answers

        def called() -> None:
            try:
                # A loop keeps whatever a callback raises, so that nothing has to be caught here.
                answers.put(asyncio.run(_kept(callback, *arguments)))
            finally:
                running.release()

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(called,), name="llmcost-callback", daemon=True).start()
        return answers

    def _late(self) -> Answer:
        return Answer(failed=f"no answer within {self._deadline_s:g} s")


async def _kept(callback: Callable[..., Any], *arguments: Any) -> Answer:
    task = asyncio.ensure_future(_awaited(callback, *arguments))
    await asyncio.wait({task})
    return _answer_of(task)


async def _awaited(callback: Callable[..., Any], *arguments: Any) -> Any:
    value = callback(*arguments)
    return await value if isinstance(value, Awaitable) else value


def _answer_of(task: asyncio.Task[Any]) -> Answer:
    if task.cancelled():
        return Answer(failed="cancelled")
    exc = task.exception()
    return Answer(task.result()) if exc is None else Answer(failed=f"{type(exc).__name__}: {exc}")
