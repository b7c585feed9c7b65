"""What the flow's driver is asked to do before it sends: put a question to the budgets, in its own way of waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llmcost.exchange.guard import guard

if TYPE_CHECKING:
    from llmcost.control import Admission, Verdict

T = TypeVar("T")
_ASK: Final = guard("budgets.admit")


class Asking:
    """One question, answered in this thread or without blocking an event loop.

    Args:
        admission: the question.
        ask: answers it.
        ask_async: the same for an event loop.
        otherwise: the answer where ours fails: the call passes, as everywhere.
    """

    __slots__ = ("_admission", "_ask", "_ask_async", "_otherwise")

    def __init__(
        self,
        admission: Admission,
        ask: Callable[[Admission], Verdict],
        ask_async: Callable[[Admission], Awaitable[Verdict]],
        otherwise: Verdict,
    ) -> None:
        self._admission = admission
        self._ask = ask
        self._ask_async = ask_async
        self._otherwise = otherwise

    def now(self) -> Verdict:
        """The answer."""
        with _ASK:
            return self._ask(self._admission)
        return self._otherwise

    async def later(self) -> Verdict:
        """The answer, for an event loop."""
        with _ASK:
            return await self._ask_async(self._admission)
        return self._otherwise


def under_asyncio() -> bool:
    """Whether this code runs in an event loop of asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a function that blocks in a thread, under asyncio or trio. A cancelled trio task waits for its end."""
    if under_asyncio():
        return await asyncio.to_thread(function, *arguments)
    import anyio.to_thread  # what httpx uses under trio as well

    return await anyio.to_thread.run_sync(function, *arguments)
