"""Time-of-day prices: whether a moment lies in an entry's off-peak windows."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_THURSDAY: Final = 3
"""The weekday, counted from Monday, of the first day of Unix time."""


def is_off_peak(rules: Mapping[str, Any], at: float) -> bool:
    """Whether the moment ``at`` (Unix seconds) is off-peak.

    ``hours_utc`` holds every day; each entry of ``windows`` holds on its ``weekdays`` (1 is Monday), read on the
    calendar of ``weekday_timezone``. A window includes its start and excludes its end, may pass midnight, and is the
    whole day where both are the same.
    """
    minute = int(at // 60) % 1440
    if _within(rules.get("hours_utc"), minute):
        return True
    weekday = _weekday_at(at, rules.get("weekday_timezone"))
    return any(
        _within(window.get("hours_utc"), minute) and _on_day(window.get("weekdays"), weekday)
        for window in rules.get("windows") or ()
        if isinstance(window, Mapping)
    )


def _within(windows: str | Iterable[str] | None, minute: int) -> bool:
    if not windows:
        return False
    for window in (windows,) if isinstance(windows, str) else windows:
        begins, ends = _minutes(window)
        if begins <= minute < ends or (begins >= ends and (minute >= begins or minute < ends)):
            return True
    return False


@functools.lru_cache(maxsize=256)
def _minutes(window: str) -> tuple[int, int]:
    """Start and end of ``HH:MM-HH:MM`` in minutes of the day."""
    start, _, end = window.partition("-")
    return _minute(start), _minute(end)


def _minute(clock: str) -> int:
    hours, _, minutes = clock.strip().partition(":")
    return int(hours) * 60 + int(minutes or 0)


def _on_day(weekdays: Iterable[int | str] | None, weekday: int) -> bool:
    return weekdays is None or any(_weekday(day) == weekday for day in weekdays)


def _weekday(day: int | str) -> int:
    return _DAYS.index(day.strip().lower()[:3]) + 1 if isinstance(day, str) else day


def _weekday_at(at: float, zone: str | None) -> int:
    if zone is None:
        return (int(at // 86_400) + _THURSDAY) % 7 + 1
    return datetime.fromtimestamp(at, _zone(zone)).isoweekday()


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        return UTC
