"""Charts as inline SVG. They are stretched to the room they get, so all text stands beside them in HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from typing import Final

from llmcost.calls import NANO
from llmcost.report.model import Day, Trust
from llmcost.report.words import TRUST_WORDS, money, plural

_FEWEST_COLUMNS: Final = 14
"""Days that a chart has room for at least, so that few days are no huge bars."""
_LONGEST: Final = 1_000
"""Days up to which a chart shows the empty ones too."""


def share_bar(share: float) -> str:
    """One bar of a table, at a share of 0 to 1."""
    return (
        f'<svg viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true">{_rect(0, share * 1000, 0, 1)}</svg>'
    )


def trust_bar(trust: Trust) -> str:
    """All calls in one bar, by what is known of their cost."""
    parts, left = [], 0.0
    for name in TRUST_WORDS:
        width = 1000 * getattr(trust, name) / trust.calls
        parts.append(f'<rect class="{name}" x="{left:.2f}" y="0" width="{width:.2f}" height="1"/>' if width else "")
        left += width
    return (
        '<svg class="trust" viewBox="0 0 1000 1" preserveAspectRatio="none" role="img"'
        f' aria-label="Calls by what is known of their cost">{"".join(parts)}</svg>'
    )


def dot(name: str) -> str:
    """The mark of a part of the trust bar in its legend."""
    return f'<svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{name}" width="1" height="1"/></svg>'


def trend(days: Sequence[Day]) -> str:
    """Money by day, with its scale and dates."""
    shown = _without_gaps(days)
    top = _round_up(max(day.nano or 0 for day in shown))
    columns = max(len(shown), _FEWEST_COLUMNS)
    bars = "".join(_day_bar(day, place, top) for place, day in enumerate(shown))
    dates = [shown[0].day, *([shown[len(shown) // 2].day] if len(shown) > 4 else []), shown[-1].day]
    scale = "".join(f"<span>{money(part, _digits(top))}</span>" for part in (top, top // 2, 0))
    below = "".join(f"<span>{escape(text)}</span>" for text in dict.fromkeys(dates))
    return (
        f'<div class="trend"><div class="scale">{scale}</div>'
        f'<svg viewBox="0 0 {columns} 1000" preserveAspectRatio="none" role="img"'
        f' aria-label="Cost by day, {escape(shown[0].day)} to {escape(shown[-1].day)}">{bars}</svg>'
        f'<div class="{"dates few" if columns > len(shown) else "dates"}">{below}</div></div>'
    )


def _day_bar(day: Day, place: int, top: int) -> str:
    height = 1000 * (day.nano or 0) / top if top else 0.0
    title = f"{escape(day.day)}: {'cost unknown' if day.nano is None else money(day.nano)}, {plural(day.calls, 'call')}"
    return (
        f'<rect x="{place + 0.1:.1f}" y="{1000 - height:.2f}" width="0.8" height="{height:.2f}">'
        f"<title>{title}</title></rect>"
    )


def _rect(left: float, width: float, top: float, height: float) -> str:
    return f'<rect x="{left:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _without_gaps(days: Sequence[Day]) -> list[Day]:
    """The days with those without calls between them."""
    known = {day.day: day for day in days}
    first, last = date.fromisoformat(days[0].day), date.fromisoformat(days[-1].day)
    if (last - first).days > _LONGEST:
        return list(days)
    names = ((first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1))
    return [known.get(name, Day(name, 0, 0)) for name in names]


def _digits(top: int) -> int:
    """Digits after the point that a scale up to this many nano-dollars needs."""
    usd = top / NANO
    return 0 if usd >= 20 else max(2, 1 - math.floor(math.log10(usd))) if usd else 0


def _round_up(nano: int) -> int:
    """The next amount of one significant digit, or 1.5, that is even at its half."""
    if not nano:
        return 0
    size = 1
    while size * 10 <= nano:
        size *= 10
    return next(step for step in (size, 3 * size // 2, *(n * size for n in range(2, 11))) if step >= nano)
