"""Which calls a question is about: a range of time and values of dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from llmcost.errors import ConfigError
from llmcost.store.booking import QUARTER_NS
from llmcost.store.dimensions import Dimension, dimension

QUARTER_SECONDS: Final = QUARTER_NS // 10**9
_AGO: Final = re.compile(r"(\d+)([mhdw])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Filter:
    """A range of quarters of an hour, ``since <= quarter < until``, and accepted values by dimension."""

    since: int | None = None
    until: int | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def needs_origin(self) -> bool:
        """Whether a value stands with the origin of a call."""
        return any(dimension(name).side == "origin" for name in self.values)

    def where(self) -> tuple[str, list[object]]:
        """The condition over ``quarter``, ``series`` and ``origin``, and its parameters."""
        parts, parameters = ["1"], list[object]()
        for sign, bound in ((">=", self.since), ("<", self.until)):
            if bound is not None:
                parts.append(f"quarter {sign} ?")
                parameters.append(bound)
        for name, accepted in self.values.items():
            by = dimension(name)
            parts.append(f"{by.side} IN ({members(by, len(accepted))})")
            parameters += [*by.parameters, *accepted]
        return " AND ".join(parts), parameters


def members(by: Dimension, count: int) -> str:
    """The query for the ids of a dimension's table whose value is one of ``count`` parameters."""
    return f"SELECT id FROM {by.table} WHERE {by.sql} IN ({', '.join('?' * count)})"


def moment(option: str, text: str, now: datetime, *, end: bool = False) -> int:
    """A user's point in time as a quarter of an hour since 1970.

    Args:
        option: the option's name, for the message.
        text: ``7d``, ``24h``, ``90m``, ``2w`` (before now), a date (its first moment; as an end, its last) or an ISO
            time. Without a zone it is in that of ``now``.
        now: the present, with a zone.
        end: whether it ends a range. The quarter it lies in belongs to the range on both sides.

    Raises:
        ConfigError: the text is no point in time.
    """
    zone = now.tzinfo
    assert zone is not None
    point = _point(text, now, zone, end)
    if point is None:
        raise ConfigError(f"{option}: {text!r} is neither like 7d or 24h nor an ISO date or time")
    nanoseconds = int(point.timestamp() * 1000) * 10**6
    return -(-nanoseconds // QUARTER_NS) if end else nanoseconds // QUARTER_NS


def _point(text: str, now: datetime, zone: tzinfo, end: bool) -> datetime | None:
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if len(text) == len("2026-11-01"):
            day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
            return datetime(day.year, day.month, day.day, tzinfo=zone)
        point = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return point if point.tzinfo else point.replace(tzinfo=zone)
