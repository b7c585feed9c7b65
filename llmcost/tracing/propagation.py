"""The OTel context goes along into threads and executors, with the label of the function that started them.

``asyncio`` copies the context by itself; ``Thread.start`` and ``ThreadPoolExecutor.submit`` do not. The label is taken
from the stack at that moment, so it reaches the thread also where no label entry was made. Where
``opentelemetry-instrumentation-threading`` is active too, it finds the same context current and does no harm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from types import FrameType
from typing import Any, Final

import wrapt
from opentelemetry.context import Context, attach, get_current, set_value

from llmcost.exchange.guard import guard
from llmcost.sections.scope import KEY, ROOT, Scope

_POOLS: Final = frozenset({"concurrent.futures.thread", "anyio._backends._asyncio"})
"""Modules whose threads serve many callers. Each piece of work brings its own context; the thread has none."""

Inherit = Callable[[FrameType], Scope]
Wrapped = Callable[..., Any]


class Carried:
    """A callable that runs in the context of whoever handed it over."""

    __slots__ = ("call", "context")

    def __init__(self, call: Wrapped, context: Context) -> None:
        self.call = call
        self.context = context

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, and leave the context of this thread as it was."""
        before = get_current()
        attach(self.context)
        try:
            return self.call(*args, **kwargs)
        finally:
            # The thread may serve others next: whatever the work left in its context goes too.
            attach(before)


class CarriedRun(Carried):
    """A thread's ``run``, set on the thread until it is called."""

    __slots__ = ("thread",)

    def __init__(self, thread: Thread, context: Context) -> None:
        run = thread.run
        # An earlier start may have failed after its `run` was wrapped.
        super().__init__(run.call if isinstance(run, CarriedRun) else run, context)
        self.thread = thread

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it once; a thread that is over holds on to nothing."""
        vars(self.thread).pop("run", None)
        return super().__call__(*args, **kwargs)


class ThreadContext:
    """Wraps ``Thread.start`` and ``ThreadPoolExecutor.submit``; ``uninstall`` restores them.

    Where somebody wrapped over us meanwhile, our wrapper stays in the chain and only passes the call on.

    Args:
        inherit: the record that work started in a frame begins with (``Sections.inherit``).
    """

    def __init__(self, inherit: Inherit) -> None:
        self._inherit = inherit
        self._active = False
        self._wrappers: dict[tuple[type, str], tuple[Any, Any]] = {}

    def install(self) -> None:
        """Begin to carry; nothing happens if that is so already."""
        self._active = True
        self._wrap(Thread, "start", self._start)
        self._wrap(ThreadPoolExecutor, "submit", self._submit)

    def uninstall(self) -> None:
        """Carry no longer. Work that was handed over before keeps its context."""
        self._active = False
        for (owner, name), (wrapper, original) in list(self._wrappers.items()):
            if owner.__dict__.get(name) is wrapper:
                setattr(owner, name, original)
                del self._wrappers[owner, name]

    def _wrap(self, owner: type, name: str, around: Wrapped) -> None:
        if (owner, name) in self._wrappers:  # still in the chain under somebody else's wrapper
            return
        original = owner.__dict__[name]
        wrapper = wrapt.FunctionWrapper(original, around, enabled=lambda: self._active)
        self._wrappers[owner, name] = (wrapper, original)
        setattr(owner, name, wrapper)

    def _start(self, wrapped: Wrapped, thread: Thread, args: Any, kwargs: Any) -> Any:
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__") in _POOLS or thread.ident is not None:
            return wrapped(*args, **kwargs)
        before = get_current()
        with guard("thread.start"):
            context = self._context(caller, before)
            if context:
                # On the instance, as a subclass may have a `run` of its own; the class is everybody's.
                thread.run = CarriedRun(thread, context)  # type: ignore[method-assign]
                attach(context)
        try:
            return wrapped(*args, **kwargs)
        finally:
            attach(before)

    def _submit(self, wrapped: Wrapped, _: Any, args: Any, kwargs: Any) -> Any:
        before = get_current()
        with guard("executor.submit"):
            context = self._context(sys._getframe(1), before)
            if context and args:
                args = (Carried(args[0], context), *args[1:])
                attach(context)
        try:
            return wrapped(*args, **kwargs)
        finally:
            attach(before)

    def _context(self, caller: FrameType, before: Context) -> Context:
        scope = self._inherit(caller)
        return before if before.get(KEY, ROOT) is scope else set_value(KEY, scope, before)
