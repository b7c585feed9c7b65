"""A few sums of the last days, for programs: ``llmcost.calls.stats(user_id=..., days=30)``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from llmcost.calls import NANO
from llmcost.store.booking import QUARTER_NS
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder, find
from llmcost.store.percentiles import p95_of_all
from llmcost.store.query import Group, Spend

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums of some days. Amounts are USD over the calls whose cost is known; of ``unpriced`` ones it is not.

    ``cost`` is None where the cost of some calls is unknown and of none known, and so are the amounts in ``by_label``,
    ``by_model`` and ``by_day`` (UTC), which are USD by name, the dearest first or in order. ``average`` and ``p95`` are
    USD a call, None where no cost is known. Tokens are None where no call stated any.
    """

    days: int
    user_id: str | None
    cost: float | None
    calls: int
    unpriced: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    average: float | None
    p95: float | None
    by_label: Mapping[str, float | None]
    by_model: Mapping[str, float | None]
    by_day: Mapping[str, float | None]


def stats(user_id: str | None = None, days: int = 30, *, store: Path | None = None, now_ns: int | None = None) -> Stats:
    """Sums of the last ``days`` days, of everyone or of one user.

    Args:
        user_id: as given to ``llmcost.context(user_id=...)``.
        days: how far to look back from now.
        store: the store's folder; the nearest ``.llmcost`` by default.
        now_ns: the present, in Unix nanoseconds.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    folder = StoreFolder(store) if store is not None else find(Path.cwd())
    fold(folder)
    since = ((time.time_ns() if now_ns is None else now_ns) - days * _DAY_NS) // QUARTER_NS
    wanted = Filter(since=since, values={} if user_id is None else {"user": (user_id,)})
    with reading(folder) as connection:
        return summary(Spend(connection, wanted, UTC), user_id, days)


def summary(spend: Spend, user_id: str | None, days: int) -> Stats:
    """The sums of a spend."""
    total, tail = spend.total, p95_of_all(spend)
    read, written, cached = total.tokens
    return Stats(
        days=days,
        user_id=user_id,
        cost=_usd(total.due),
        calls=total.calls,
        unpriced=total.unpriced,
        errors=total.errors,
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        average=total.nano / total.priced / NANO if total.priced else None,
        p95=_usd(tail),
        by_label=_by_name(spend.by("label")),
        by_model=_by_name(spend.by("model")),
        by_day=_by_name(spend.by("day")),
    )


def _usd(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO


def _by_name(groups: list[Group]) -> dict[str, float | None]:
    return {group.key: _usd(group.sums.due) for group in groups}


def days_ago(days: int, now: datetime) -> int:
    """The quarter of an hour that lies so many days before now."""
    return (int(now.timestamp()) * 10**9 - days * _DAY_NS) // QUARTER_NS
