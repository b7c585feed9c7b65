"""Time-of-day prices: whether a moment lies in an entry's off-peak windows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_off_peak(rules: Mapping[str, Any], at: float) -> bool:
    """Whether the moment ``at`` (Unix seconds) is off-peak.

    ``hours_utc`` holds every day; each entry of ``windows`` holds on its ``weekdays`` (1 is Monday), read on the
    calendar of ``weekday_timezone``. A window includes its start and excludes its end, may pass midnight, and is the
    whole day where both are the same.
    """
    moment = datetime.fromtimestamp(at, UTC)
    minute = moment.hour * 60 + moment.minute
    if _within(rules.get("hours_utc"), minute):
        return True
    weekday = moment.astimezone(_zone(rules.get("weekday_timezone"))).isoweekday()
    return any(
        _on_day(window.get("weekdays"), weekday) and _within(window.get("hours_utc"), minute)
        for window in rules.get("windows") or ()
        if isinstance(window, Mapping)
    )


def _within(windows: Any, minute: int) -> bool:
    if not windows:
        return False
    for window in (windows,) if isinstance(windows, str) else windows:
        start, _, end = window.partition("-")
        begins, ends = _minute(start), _minute(end)
        if begins < ends and begins <= minute < ends:
            return True
        if begins >= ends and (minute >= begins or minute < ends):
            return True
    return False


def _minute(clock: str) -> int:
    hours, _, minutes = clock.strip().partition(":")
    return int(hours) * 60 + int(minutes or 0)


def _on_day(weekdays: Any, weekday: int) -> bool:
    if weekdays is None:
        return True
    return any(_weekday(day) == weekday for day in weekdays)


def _weekday(day: int | str) -> int:
    return _DAYS.index(day.strip().lower()[:3]) + 1 if isinstance(day, str) else day


def _zone(name: str | None) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        return UTC
