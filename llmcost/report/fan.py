"""A fan in the terminal: what was spent, the median of what comes, and the 80 and 95 % bands around it.

Own code, since the chart libraries for terminals draw lines and bars but no bands, and mean by colour what must be
readable without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from llmcost.calls import nano_dollars
from llmcost.report.outlook import Day
from llmcost.report.words import money

HEIGHT: Final = 12


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters of a chart."""

    spent: str
    median: str
    inner: str
    outer: str
    limit: str
    edge: str
    floor: str
    corner: str


UNICODE: Final = Marks("█", "━", "▒", "░", "╌", "│", "─", "└")
ASCII: Final = Marks("#", "=", ":", ".", "-", "|", "-", "+")


def fan(days: Sequence[Day], limit: float | None, width: int, marks: Marks = UNICODE) -> list[str]:
    """The lines of a chart.

    Args:
        days: spend since the start of the period, by day.
        limit: drawn as a line where it is in reach.
        width: columns to fill at most.
        marks: characters to draw with.
    """
    top = _top(days, limit)
    scale = [money(nano_dollars(top * part), 2 if top < 100 else 0) for part in (1, 0.5, 0)]
    gutter = max(map(len, scale))
    cell = max(1, min(6, (width - gutter - 2) // len(days)))
    lines = []
    for row in range(HEIGHT, 0, -1):
        low, high = top * (row - 1) / HEIGHT, top * row / HEIGHT
        label = {HEIGHT: scale[0], HEIGHT // 2: scale[1]}.get(row, "")
        cells = "".join(_mark(day, low, high, limit, marks) * cell for day in days)
        lines.append(f"{label:>{gutter}} {marks.edge}{cells}".rstrip())
    lines.append(f"{scale[2]:>{gutter}} {marks.corner}{marks.floor * cell * len(days)}")
    lines.append(_dates(days, gutter + 2, cell))
    return lines


def legend(marks: Marks, limit: float | None) -> str:
    """What the characters mean."""
    parts = [f"{marks.spent} spent", f"{marks.median} median", f"{marks.inner} 80 %", f"{marks.outer} 95 %"]
    return "   ".join(parts + ([f"{marks.limit} limit"] if limit is not None else []))


def _top(days: Sequence[Day], limit: float | None) -> float:
    """The highest amount shown: the upper end of the wide band, unless it is far off; the limit where it is near."""
    last = days[-1]
    highest = min(last.upper95, max(4 * last.upper80, 1e-9))
    if limit is not None and limit < 1.5 * highest:
        highest = max(highest, limit * 1.05)
    return max(highest, 1e-6)


def _mark(day: Day, low: float, high: float, limit: float | None, marks: Marks) -> str:
    if day.known:
        if day.median > low:
            return marks.spent
    elif low <= day.median < high:
        return marks.median
    if limit is not None and low <= limit < high:
        return marks.limit
    if not day.known and day.lower80 < high and day.upper80 > low:
        return marks.inner
    if not day.known and day.lower95 < high and day.upper95 > low:
        return marks.outer
    return " "


def _dates(days: Sequence[Day], indent: int, cell: int) -> str:
    """The first, the last and, where there is room, the days of the month between."""
    line = [" "] * (indent + cell * len(days) + 6)
    free = 0
    places = [0, *range(6, len(days) - 4, 7), len(days) - 1]
    for place in sorted(set(places)):
        text = days[place].day[5:]
        at = indent + place * cell
        if at >= free:
            line[at : at + len(text)] = text
            free = at + len(text) + 1
    return "".join(line).rstrip()
