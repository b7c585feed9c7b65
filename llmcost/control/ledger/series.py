"""Arithmetic of series that the back ends share: buckets, steps, and what becomes of old ones."""

from __future__ import annotations

from collections.abc import Iterable

from llmcost.control.ledger.contract import BUCKET_S, DAY_S, DROP_AFTER_S, ROLL_UP_AFTER_S, Bucket


def bucket_of(at: float) -> int:
    """The start of the bucket that holds an instant."""
    return int(at // BUCKET_S) * BUCKET_S


def day_of(at: float) -> int:
    """The start of the UTC day that holds an instant."""
    return int(at // DAY_S) * DAY_S


def roll_up_before(now: float) -> int:
    """Buckets before this instant become days; always the start of a day."""
    return day_of(now - ROLL_UP_AFTER_S)


def drop_before(now: float) -> int:
    """Days before this instant are dropped."""
    return day_of(now - DROP_AFTER_S)


def grouped(rows: Iterable[tuple[int, int, int]], start: float, end: float, step: int) -> list[Bucket]:
    """Rows ``(slot, nano, calls)`` of ``[start, end)`` in steps counted from ``start``, oldest first."""
    sums: dict[int, list[int]] = {}
    for slot, nano, calls in rows:
        if start <= slot < end:
            place = int(start + (slot - start) // step * step)
            row = sums.setdefault(place, [0, 0])
            row[0] += nano
            row[1] += calls
    return [Bucket(place, nano, calls) for place, (nano, calls) in sorted(sums.items())]
