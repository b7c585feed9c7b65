"""What travels in the OTel context: one immutable record under one key, and how it is set and taken back.

Taking back never uses a token: a token works only in the ``contextvars.Context`` that made it, and an abandoned
generator is closed in another one. Instead the record that is current is compared with ours.
"""

from __future__ import annotations

import sys
import threading
import weakref
from asyncio import current_task
from collections.abc import Mapping
from dataclasses import field, replace
from types import FrameType
from typing import Any, Final

from opentelemetry.context import Context, attach, create_key, get_current

from llmcost.calls import Attribution
from llmcost.lean import dataclass

KEY: Final = create_key("llmcost.scope")


@dataclass(slots=True, eq=False)
class Generating:
    """Marks a record that was set inside a generator: between two steps it must not reach whoever drives it.

    Attributes:
        frame: ``id`` of the generator's frame.
        worker: the thread and task that ran the step in which the record was set.
        ended: set when the block was left. What is then still found of the record, in whatever context, is a residue.
    """

    frame: int
    worker: tuple[int, int]
    ended: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Who a call is for and why.

    Attributes:
        override: the label given by ``llmcost.label``; wins over the map.
        label: the label inherited from the function that started this work; the map wins over it.
        outer: the record that was current before this one.
        generating: set where this record was made inside a generator.
        labelled: records derived from this one by label, reused on each entry of a function.
        attributions: what calls were attributed to under this record, reused as long as it lives.
    """

    user_id: str | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    agent: str | None = None
    workflow: str | None = None
    call_type: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    section_path: str | None = None
    override: str | None = None
    label: str | None = None
    outer: Scope | None = None
    generating: Generating | None = None
    labelled: dict[str, Scope] = field(default_factory=dict, repr=False)
    attributions: dict[Any, Attribution] = field(default_factory=dict, repr=False)

    def derive(self, **changes: Any) -> Scope:
        """A record on top of this one."""
        fresh: dict[str, Any] = {"outer": self, "generating": None, "labelled": {}, "attributions": {}}
        return replace(self, **fresh, **changes)

    def with_label(self, label: str) -> Scope:
        """The record under this one whose inherited label is ``label``; the same object each time."""
        known = self.labelled.get(label)
        if known is None:
            known = self.labelled.setdefault(label, self.derive(label=label))
        return known

    def stands_on(self, other: Scope) -> bool:
        """Whether this record is ``other`` or was derived from it."""
        scope: Scope | None = self
        while scope is not None and scope is not other:
            scope = scope.outer
        return scope is other


ROOT: Final = Scope()
"""The record where nothing was set."""


class HeldScope:
    """A record held by a ``with`` block of a generator; it is gone when the generator is, even if that never ended."""

    __slots__ = ("__weakref__", "_mark", "covered", "frame", "scope")

    def __init__(self, scope: Scope, mark: Generating) -> None:
        self.scope = scope
        self.frame = frame = mark.frame
        self.covered = _in_generators.get(frame)
        self._mark = mark

        def forget(reference: weakref.ref[HeldScope]) -> None:
            mark.ended = True
            if _in_generators.get(frame) is reference:
                _in_generators.pop(frame, None)

        _in_generators[frame] = weakref.ref(self, forget)

    def release(self) -> None:
        """Leave the block: the record of the block around it in the same generator applies again."""
        self._mark.ended = True
        if self.covered is not None and self.covered() is not None:
            _in_generators[self.frame] = self.covered
        else:
            _in_generators.pop(self.frame, None)


_in_generators: Final[dict[int, weakref.ref[HeldScope]]] = {}
"""Records set inside generators that have not left them, by the ``id`` of the generator's frame."""


def current(frame: FrameType | None = None, context: Context | None = None) -> Scope:
    """The record that applies to code that runs in ``frame`` (by default the caller) under an OTel context (by default
    the current one).

    A generator may be driven step by step in other contexts than the one it began in (a streamed web response), so a
    record set inside a generator is found by its frame on the stack, and left aside where that frame is not.
    """
    scope: Scope = (get_current() if context is None else context).get(KEY, ROOT)  # type: ignore[assignment]
    if not _in_generators and scope.generating is None:
        return scope
    return _among_generators(scope, frame or sys._getframe(1))


def _among_generators(scope: Scope, frame: FrameType) -> Scope:
    on_stack: set[int] = set()
    nearest: Scope | None = None
    at: FrameType | None = frame
    while at is not None:
        reference = _in_generators.get(id(at))
        held = None if reference is None else reference()
        if held is not None:
            on_stack.add(id(at))
            nearest = nearest or held.scope
        at = at.f_back
    while scope.generating is not None and _left_behind(scope.generating, on_stack):
        scope = scope.outer or ROOT
    return scope if nearest is None or scope.stands_on(nearest) else nearest


def _left_behind(mark: Generating, on_stack: set[int]) -> bool:
    """Another task or thread inherited the record when it was started; the same one only sees it between two steps."""
    return mark.ended or (mark.frame not in on_stack and mark.worker == worker())


def worker() -> tuple[int, int]:
    """The thread and task that run now."""
    try:
        task = current_task()
    except RuntimeError:  # no running event loop
        task = None
    return threading.get_ident(), id(task)


def is_current(scope: Scope) -> bool:
    """Whether this very record is the current one."""
    return get_current().get(KEY) is scope


class Placed:
    """Values put into the current OTel context, to be taken back by :meth:`remove`."""

    __slots__ = ("_before", "_mine")

    def __init__(self, values: Mapping[str, object]) -> None:
        self._before = get_current()
        self._mine = Context({**self._before, **values})
        attach(self._mine)

    def remove(self) -> None:
        """Take the values back, as :func:`take_back` does."""
        take_back(self._before, self._mine)


def take_back(before: Context, mine: Context) -> None:
    """Undo what made ``mine`` of ``before``, where it is still current; do nothing in another context, where it never
    was. What others set meanwhile and left behind, such as a span that was not detached, stays."""
    now = get_current()
    if now is mine:
        attach(before)
        return
    ours = [key for key in mine if mine[key] is not before.get(key) and now.get(key) is mine[key]]
    if ours:
        kept = {key: value for key, value in now.items() if key not in ours}
        attach(Context({**kept, **{key: before[key] for key in ours if key in before}}))


def put(scope: Scope) -> Placed:
    """Make a record current."""
    return Placed({KEY: scope})
