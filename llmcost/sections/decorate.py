"""Run a function under a record, whatever kind of function it is."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, TypeVar, cast

from opentelemetry.context import Context

from llmcost.sections.scope import Scope, current, put, take_back

Function = TypeVar("Function", bound=Callable[..., Any])
Derive = Callable[[Scope], Scope]


class Applied:
    """A record that is current for the time of a block; made for one use after another, not for nesting."""

    __slots__ = ("_before", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._before = Context()

    def __enter__(self) -> None:
        self._before = put(self._scope)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        take_back(self._scope, self._before)


def decorate(function: Function, derive: Derive) -> Function:
    """A function that does what ``function`` does, under the record that ``derive`` makes of the caller's.

    Raises:
        TypeError: ``function`` is a class or no callable; decorate its methods instead.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return cast(Function, type(function)(decorate(function.__func__, derive)))
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"llmcost: only functions and methods can be decorated, not {function!r}")
    return cast(Function, functools.wraps(function)(_wrapper(function, derive)))


def _wrapper(function: Callable[..., Any], derive: Derive) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):
        return _for_async_generator(function, derive)
    if inspect.isgeneratorfunction(function):
        return _for_generator(function, derive)
    if inspect.iscoroutinefunction(function):

        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with Applied(derive(current(sys._getframe(0)))):
                return await function(*args, **kwargs)

        return run_async

    def run(*args: Any, **kwargs: Any) -> Any:
        with Applied(derive(current(sys._getframe(0)))):
            return function(*args, **kwargs)

    return run


def _for_generator(function: Callable[..., Any], derive: Derive) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return (yield from _Steps(function(*args, **kwargs), derive(current(sys._getframe(0)))))

    return run


class _Steps(Generator[Any, Any, Any]):
    """A generator whose record is current during each of its steps and not between two."""

    def __init__(self, inner: Generator[Any, Any, Any], scope: Scope) -> None:
        self._inner = inner
        self._applied = Applied(scope)

    def send(self, value: Any) -> Any:
        with self._applied:
            return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        with self._applied:
            return self._inner.throw(*error)

    def close(self) -> None:
        with self._applied:
            self._inner.close()


def _for_async_generator(function: Callable[..., Any], derive: Derive) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        applied = Applied(derive(current(sys._getframe(0))))
        step, argument = inner.asend, None
        while True:
            with applied:
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
                with applied:
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
