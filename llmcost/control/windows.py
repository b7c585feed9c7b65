"""Windows of time in a zone: they roll by the clock, whether or not there are calls.

A window is the half-open stretch ``[start, end)`` in Unix seconds. Days, weeks (from Monday) and months begin at local
midnight; where a clock change skips midnight, at the instant of the change. An hour is an hour of the local clock; a
change by less than an hour (Lord Howe) cuts it short.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

FOREVER: Final = 0
"""The ``end`` of a window that does not end."""

ROLLING_SLOTS: Final = 60
"""A rolling window is counted in this many slots: it lets go of money up to 1/60 of its length late, never early."""


class Window(NamedTuple):
    """``[start, end)`` in Unix seconds; ``end`` is :data:`FOREVER` for a window that does not end."""

    start: int
    end: int


def _hour(at: float, zone: tzinfo) -> Window:
    offset = _offset(at, zone)
    start = int((at + offset) // 3600) * 3600 - offset
    end = start + 3600
    if _offset(start, zone) != offset:
        start = _change(start, int(at), zone)
    if _offset(end - 1, zone) != offset:
        end = _change(int(at), end - 1, zone)
    return Window(start, end)


def _day(at: float, zone: tzinfo) -> Window:
    today = _local_date(at, zone)
    return Window(_midnight(today, zone), _midnight(today + timedelta(days=1), zone))


def _week(at: float, zone: tzinfo) -> Window:
    today = _local_date(at, zone)
    monday = today - timedelta(days=today.weekday())
    return Window(_midnight(monday, zone), _midnight(monday + timedelta(days=7), zone))


def _month(at: float, zone: tzinfo) -> Window:
    first = _local_date(at, zone).replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Window(_midnight(first, zone), _midnight(following, zone))


def _total(_: float, __: tzinfo) -> Window:
    return Window(0, FOREVER)


WINDOWS: Final[Mapping[str, Callable[[float, tzinfo], Window]]] = {
    "hourly": _hour,
    "daily": _day,
    "weekly": _week,
    "monthly": _month,
    "total": _total,
}
"""Kinds of window by the name that a budget gives them, and how to find the one that holds an instant."""


def rolling(at: float, length: int) -> tuple[Window, int]:
    """The slot of a rolling window that holds an instant, and the start of the first slot that still counts."""
    step = rolling_step(length)
    slot = int(at // step) * step
    return Window(slot, slot + step), slot - length - step + 1


def rolling_step(length: int) -> int:
    """Width of the slots of a rolling window, in seconds."""
    return max(1, length // ROLLING_SLOTS)


_LENGTH: Final = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_UNITS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(text: str) -> int:
    """The length of a rolling window, written ``90m``, ``24h`` or ``30d``.

    Raises:
        ValueError: the text is no such length, or less than a minute.
    """
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no length of time; write 90m, 24h or 30d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds < 60:
        raise ValueError(f"{text!r} is shorter than a minute")
    return seconds


def _offset(at: float, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _local_date(at: float, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at, zone).date()


def _midnight(day: date, zone: tzinfo) -> int:
    """The first instant of a local day. ``fold=0`` takes the first of two midnights, and in a gap the instant of the
    change (the wall time read with the offset before it)."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC).timestamp())


def _change(before: int, after: int, zone: tzinfo) -> int:
    """The first second in ``(before, after]`` with another offset than at ``before``."""
    offset = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after
