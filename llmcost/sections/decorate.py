"""Run a function with values in the OTel context, whatever kind of function it is."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, TracebackType
from typing import Any, TypeVar, cast

from llmcost.sections.scope import Placed

Function = TypeVar("Function", bound=Callable[..., Any])


class Activity:
    """One run of a decorated function: a block that keeps values in the OTel context for the time of one step.

    A plain function has one step, a generator many, one after another and perhaps each in another context.
    """

    __slots__ = ("_placed", "_values")

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self._placed: Placed | None = None

    def __enter__(self) -> None:
        self._placed = Placed(self._values)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._placed is not None:
            self._placed.remove()

    def whole(self) -> AbstractContextManager[None]:
        """A block around all steps, told of the exception that ends the run."""
        return nullcontext()


Begin = Callable[[FrameType], Activity]
"""Begins a run; given the frame that the run starts in."""


def decorate(function: Function, begin: Begin) -> Function:
    """A function that does what ``function`` does, each run within the activity that ``begin`` makes.

    Raises:
        TypeError: ``function`` is a class or no callable; decorate its methods instead.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return cast(Function, type(function)(decorate(function.__func__, begin)))
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"llmcost: only functions and methods can be decorated, not {function!r}")
    return cast(Function, functools.wraps(function)(_wrapper(function, begin)))


def _wrapper(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):
        return _for_async_generator(function, begin)
    if inspect.isgeneratorfunction(function):
        return _for_generator(function, begin)
    if inspect.iscoroutinefunction(function):

        async def run_async(*args: Any, **kwargs: Any) -> Any:
            activity = begin(sys._getframe(0))
            with activity.whole(), activity:
                return await function(*args, **kwargs)

        return run_async

    def run(*args: Any, **kwargs: Any) -> Any:
        activity = begin(sys._getframe(0))
        with activity.whole(), activity:
            return function(*args, **kwargs)

    return run


def _for_generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        activity = begin(sys._getframe(0))
        with activity.whole():
            return (yield from _Steps(function(*args, **kwargs), activity))

    return run


class _Steps(Generator[Any, Any, Any]):
    """A generator whose activity goes on during each of its steps and not between two."""

    def __init__(self, inner: Generator[Any, Any, Any], activity: Activity) -> None:
        self._inner = inner
        self._activity = activity

    def send(self, value: Any) -> Any:
        with self._activity:
            return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        with self._activity:
            return self._inner.throw(*error)

    def close(self) -> None:
        with self._activity:
            self._inner.close()


def _for_async_generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        activity = begin(sys._getframe(0))
        with activity.whole():
            inner = function(*args, **kwargs)
            step, argument = inner.asend, None
            while True:
                with activity:
                    try:
                        item = await step(argument)
                    except StopAsyncIteration:
                        return
                # There is no ``yield from`` in async generators: what is sent or thrown in is handed on by hand.
                thrown = _ThrownIn()
                argument = None
                try:
                    with thrown:
                        argument = yield item
                except GeneratorExit:
                    with activity:
                        await inner.aclose()
                    raise
                step, argument = (inner.asend, argument) if thrown.error is None else (inner.athrow, thrown.error)

    return run


class _ThrownIn:
    """Catches what is thrown in at a ``yield``, to be thrown into another generator."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.error = exc
        return exc is not None and not isinstance(exc, GeneratorExit)
