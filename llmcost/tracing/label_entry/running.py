"""What happens when a marked function begins and ends, whoever tells of it."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Final

from opentelemetry.context import Context, attach, get_current

from llmcost.exchange.guard import guard
from llmcost.sections.scope import KEY, ROOT, Scope, current, take_back

_LIMIT: Final = 256
"""Contexts that are kept for the next entry under the same record."""

Inherit = Callable[[FrameType], Scope]


class Running:
    """The marked functions that run now, by the ``id`` of their frame.

    Args:
        inherit: the record for a function without a label of its own, a wrapper: its caller's (``Sections.inherit``).
    """

    def __init__(self, inherit: Inherit) -> None:
        self._inherit = inherit
        self._entered: dict[int, tuple[Context, Context]] = {}
        self._alone: dict[Scope, Context] = {}

    def begin(self, frame: FrameType, label: str | None) -> None:
        """A marked function begins: its label is in the context from here on.

        There is no guard in here, it would cost as much as the rest: nothing in it can fail but the walk.
        """
        before = get_current()
        around: Scope = before.get(KEY, ROOT)  # type: ignore[assignment]
        if label is None:
            scope = self._inherited(frame)
        else:
            scope = around.labelled.get(label) or around.with_label(label)
        if len(before) == (around is not ROOT):  # nothing but our record: a context that can be made once
            mine = self._alone.get(scope) or self._make_alone(scope)
        else:
            mine = Context(before)
            dict.__setitem__(mine, KEY, scope)
        self._entered[id(frame)] = (before, mine)
        attach(mine)

    def _make_alone(self, scope: Scope) -> Context:
        if len(self._alone) >= _LIMIT:
            self._alone.clear()
        mine = self._alone[scope] = Context({KEY: scope})
        return mine

    def end(self, frame: FrameType) -> None:
        """It ended, also by an exception or as a coroutine that was closed; perhaps in another context."""
        entered = self._entered.pop(id(frame), None)
        if entered is None:
            return
        if get_current() is entered[1]:
            attach(entered[0])
        else:
            take_back(*entered)

    def _inherited(self, frame: FrameType) -> Scope:
        with guard("label_entry.inherit"):
            return self._inherit(frame)
        return current(frame)

    def clear(self) -> None:
        """Forget all; what is current here is taken back."""
        while self._entered:
            take_back(*self._entered.popitem()[1])
