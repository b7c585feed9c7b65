"""State of the engines as plain lists, so that it can be kept in a file or a table and taken up again.

Each engine names its changing parts in ``STATE``. Numbers, lists and nested engines are all that a part may be, so the
result is JSON.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar

Plain = int | float | str | bool | None | list[Any]


class Resumable:
    """An engine whose state can be written down and taken up again."""

    __slots__ = ()
    STATE: ClassVar[tuple[str, ...]] = ()

    def dump(self) -> list[Plain]:
        """The state as a list of numbers, lists and further states, in the order of ``STATE``."""
        return [_plain(getattr(self, name)) for name in self.STATE]

    def load(self, values: Sequence[Any]) -> None:
        """Take up the state that :meth:`dump` wrote.

        Raises:
            ValueError: the values are not the state of such an engine.
        """
        if len(values) != len(self.STATE):
            raise ValueError(f"{type(self).__name__}: expected {len(self.STATE)} values, got {len(values)}")
        for name, value in zip(self.STATE, values, strict=True):
            setattr(self, name, _restored(getattr(self, name), value))


def _plain(value: Any) -> Plain:
    if isinstance(value, Resumable):
        return value.dump()
    if isinstance(value, (list, tuple, deque, array)):
        return [_plain(item) for item in value]
    plain: Plain = value
    return plain


def _restored(current: Any, value: Any) -> Any:
    """``value`` in the type of the part that it replaces."""
    if isinstance(current, Resumable):
        current.load(value)
        return current
    if isinstance(current, deque):
        return deque(value, current.maxlen)
    if isinstance(current, array):
        return array(current.typecode, value)
    if isinstance(current, tuple) and current and isinstance(current[0], Resumable):
        for part, state in zip(current, value, strict=True):
            part.load(state)
        return current
    return list(value) if isinstance(value, list) else value
