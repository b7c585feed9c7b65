"""What happens when a marked function begins and ends, whoever tells of it."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

from opentelemetry.context import Context, attach, get_current

from llmcost.sections.scope import KEY, ROOT, Scope, take_back

Inherit = Callable[[FrameType], Scope]


class Running:
    """The marked functions that run now, by the ``id`` of their frame.

    Args:
        inherit: the record for a function without a label of its own, a wrapper: its caller's (``Sections.inherit``).
    """

    def __init__(self, inherit: Inherit) -> None:
        self._inherit = inherit
        self._entered: dict[int, tuple[Context, Context]] = {}

    def begin(self, frame: FrameType, label: str | None) -> None:
        """A marked function begins: its label is in the context from here on."""
        before = get_current()
        if label is None:
            scope = self._inherit(frame)
        else:
            scope = before.get(KEY, ROOT).with_label(label)  # type: ignore[attr-defined]
        mine = Context(before)
        dict.__setitem__(mine, KEY, scope)
        self._entered[id(frame)] = (before, mine)
        attach(mine)

    def end(self, frame: FrameType) -> None:
        """It ended, also by an exception or as a coroutine that was closed; perhaps in another context."""
        entered = self._entered.pop(id(frame), None)
        if entered is None:
            return
        take_back(*entered)

    def clear(self) -> None:
        """Forget all; what is current here is taken back."""
        while self._entered:
            take_back(*self._entered.popitem()[1])
