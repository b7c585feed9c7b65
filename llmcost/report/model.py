"""The report as data: frozen, serialisable, the same for every renderer. Money is whole nano-dollars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SCHEMA: int = 3
"""The version of the JSON form; it changes only where the meaning of a field does."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of calls.

    Attributes:
        key: the value the group has in common, as recorded: it may hold anything. Empty: none was given.
        nano: nano-dollars over the calls whose cost is known; None where it is unknown of some and known of none.
        share: part of the report's money, 0 to 1; None where ``nano`` is.
        calls: all calls, ``unpriced`` those whose cost is not known.
        average: nano-dollars a call, over the calls whose cost is known.
        p95: nano-dollars at or below which 95 of 100 such calls cost.
        input_tokens: with the ``cached_tokens`` among them. Tokens are None where no call stated any.
        errors: calls that failed.
        folded: how many values this row stands for.
        unsure: whether it is a section whose label the scan was not sure of.
    """

    key: str
    nano: int | None
    share: float | None
    calls: int
    unpriced: int
    average: int | None
    p95: int | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    errors: int
    folded: int = 1
    unsure: bool = False


def largest_share(rows: Iterable[Row]) -> float:
    """What bars are drawn in proportion to: the largest share of a single value. What is left over may be far more, and
    would leave nothing to see of the others."""
    return max((row.share or 0.0 for row in rows if row.folded == 1), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the report can be trusted: calls by what is known of their cost, which sum to ``calls``; then calls in
    no known section, those in sections whose label the scan was not sure of, requests that could not be read as calls,
    and records that were lost.

    ``exact``: usage and price are known. ``zero_listed``: a hosted model listed at price 0. ``not_billed``: refused or
    failed. ``counted_elsewhere``: a gateway nearer to the provider counts it.
    """

    calls: int = 0
    exact: int = 0
    estimated: int = 0
    partial: int = 0
    unpriced: int = 0
    zero_listed: int = 0
    not_billed: int = 0
    counted_elsewhere: int = 0
    untracked: int = 0
    unsure: int = 0
    unseen: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The money of one local day; None where it is unknown."""

    day: str
    nano: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was spent, on what, and how sure that is.

    ``since`` and ``until`` are ISO times in ``zone``: those that the user gave, else when the first and the last call
    began; None where there are no calls. ``rows`` sum to ``total``. ``days`` and ``models`` are filled where
    a renderer shows them.
    """

    by: str
    title: str
    rows: tuple[Row, ...]
    total: Row
    trust: Trust
    since: str | None
    until: str | None
    zone: str
    filters: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    days: tuple[Day, ...] = ()
    models: tuple[Row, ...] = ()
    schema: int = SCHEMA
