"""The three verbs: ``context`` says who and why, ``section`` nests, ``label`` overrides.

Each is a context manager (``with`` and ``async with``) and a decorator for functions, coroutine functions, generators
and async generators. One object may be entered many times, nested and from several threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar

from llmcost.sections.decorate import Activity, decorate
from llmcost.sections.scope import KEY, Generating, HeldScope, Scope, current, is_current, put, worker

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_CONTEXT_MANAGER_DRIVERS: Final = ("contextlib", "_pytest.", "pytest_asyncio.", "anyio.pytest_plugin", "_hypothesis")
"""Modules that drive a generator as a context manager: what it sets is meant for the code between its two halves."""


class _Entered:
    __slots__ = ("held", "placed", "scope")

    def __init__(self, scope: Scope, held: HeldScope | None) -> None:
        self.scope = scope
        self.held = held
        self.placed = put(scope)


class Verb:
    """Base of the three verbs: a change to the current record for the time of a block or of a function's run."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: list[_Entered] = []

    def derive(self, scope: Scope) -> Scope:
        """The record that applies inside."""
        raise NotImplementedError

    def __enter__(self) -> None:
        self._enter(sys._getframe(1))

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(sys._getframe(1))

    def __aenter__(self) -> _Done:
        # Not a coroutine: the frame above must be the one that holds the block.
        self._enter(sys._getframe(1))
        return _DONE

    def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> _Done:
        self._leave(sys._getframe(1))
        return _DONE

    def __call__(self, function: Decorated) -> Decorated:
        """Decorate a function, coroutine function, generator or async generator."""
        return decorate(function, lambda frame: Activity({KEY: self.derive(current(frame))}))

    def _enter(self, frame: FrameType) -> None:
        scope = self.derive(current(frame))
        held = None
        if _is_step(frame):
            mark = Generating(id(frame), worker())
            scope = replace(scope, generating=mark)
            held = HeldScope(scope, mark)
        self._entered.append(_Entered(scope, held))

    def _leave(self, frame: FrameType) -> None:
        entered = self._innermost(id(frame))
        self._entered.remove(entered)
        entered.placed.remove()
        if entered.held is not None:
            entered.held.release()

    def _innermost(self, frame: int) -> _Entered:
        """Which entry is left: an object may be shared by threads, tasks and generators."""
        for entered in reversed(self._entered):
            if is_current(entered.scope) or (entered.held is not None and entered.held.frame == frame):
                return entered
        return self._entered[-1]


def _is_step(frame: FrameType) -> bool:
    """Whether the frame is a generator's, driven step by step and not as a context manager."""
    if not frame.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
        return False
    driver = frame.f_back
    name = "" if driver is None else driver.f_globals.get("__name__")
    return not (isinstance(name, str) and name.startswith(_CONTEXT_MANAGER_DRIVERS))


class _Done:
    """An awaitable that is done."""

    __slots__ = ()

    def __await__(self) -> Any:
        return iter(())


_DONE: Final = _Done()


class context(Verb):  # noqa: N801 - reads as a verb at the place of use
    """Who the calls are for: ids, agent, workflow, tags and any further keys.

    What is None or not given stays as it is around. Tags are added to the outer ones; metadata and further keys are
    merged over them. Nothing of it ever goes to a provider.

    Args:
        user_id: the user on whose behalf the calls are made.
        session_id: the session.
        conversation_id: the conversation.
        workflow_id: the workflow; ``workflow`` is another spelling.
        agent: the agent's name.
        tags: words to group by.
        metadata: facts to keep with the call; written as JSON.
        call_type: the kind of work, such as ``rag_query``; derived from label and operation where not given.
        keys: anything else, written as ``llmcost.context.<key>``.
    """

    __slots__ = ("_changes", "_keys", "_metadata", "_tags")

    def __init__(
        self,
        *,
        user_id: object = None,
        session_id: object = None,
        conversation_id: object = None,
        workflow_id: object = None,
        workflow: object = None,
        agent: object = None,
        tags: str | Iterable[object] = (),
        metadata: Mapping[str, Any] | None = None,
        call_type: object = None,
        **keys: object,
    ) -> None:
        super().__init__()
        given = {
            "user_id": user_id,
            "session_id": session_id,
            "conversation_id": conversation_id,
            "workflow": workflow_id if workflow_id is not None else workflow,
            "agent": agent,
            "call_type": call_type,
        }
        self._changes = {name: str(value) for name, value in given.items() if value is not None}
        self._tags = (tags,) if isinstance(tags, str) else tuple(str(tag) for tag in tags)
        self._metadata = dict(metadata or {})
        self._keys = {key: str(value) for key, value in keys.items() if value is not None}

    def derive(self, scope: Scope) -> Scope:
        """Lay what was given over the outer record."""
        changes: dict[str, Any] = dict(self._changes)
        if self._tags:
            changes["tags"] = tuple(dict.fromkeys((*scope.tags, *self._tags)))
        if self._metadata:
            changes["metadata"] = {**scope.metadata, **self._metadata}
        if self._keys:
            changes["context"] = {**scope.context, **self._keys}
        return scope.derive(**changes)


class section(Verb):  # noqa: N801 - reads as a verb at the place of use
    """A named part of the work; nested ones make a path, ``agent:researcher/tool:web_search``."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = str(name)

    def derive(self, scope: Scope) -> Scope:
        """Append the name to the outer path."""
        return scope.derive(section_path=f"{scope.section_path}/{self._name}" if scope.section_path else self._name)


class label(Verb):  # noqa: N801 - reads as a verb at the place of use
    """The label of all calls made inside, over what the semantic map says."""

    __slots__ = ("_label",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._label = str(name)

    def derive(self, scope: Scope) -> Scope:
        """Set the label over any other."""
        return scope.derive(override=self._label)
