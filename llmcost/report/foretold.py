"""``llmcost.forecast``: what a ledger knows that is set, else the store's past."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from llmcost import config
from llmcost.control.feed import Feed, open_feed
from llmcost.control.ledger import LedgerFailure
from llmcost.errors import ConfigError, StoreError
from llmcost.insight import CostPrediction, NotEnoughHistory
from llmcost.report.outlook import period_of
from llmcost.report.pasts import LedgerPast, StorePast
from llmcost.runtime import runtime
from llmcost.store.database import reading
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder, find


def forecast(
    user_id: str | None = None,
    label: str | None = None,
    horizon: str | int = "month",
    confidence: float = 0.95,
    *,
    model: str | None = None,
    budget: float | None = None,
    store: Path | None = None,
    now: datetime | None = None,
) -> CostPrediction | NotEnoughHistory:
    """What the present month (UTC), or the next days, will cost; of the whole program unless one is named.

    Args:
        user_id: only this user, as given to ``llmcost.context(user_id=...)``.
        label: only this section.
        horizon: ``"month"``: what is spent in it so far and what is to come; or a number of days from now on.
        confidence: level of the interval, 0 to 1.
        model: only this model.
        budget: USD; ``risk_score`` is then the chance to pass it.
        store: the folder of a store, to be read by itself; by default the ledger that is set, else the nearest
            ``.llmcost``.
        now: the present.

    Returns:
        The forecast, or :class:`~llmcost.insight.NotEnoughHistory` where there is less than a week of it.

    Raises:
        ConfigError: the horizon or the confidence is none.
        StoreError: there is neither a store nor a ledger that knows of any call.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: {confidence!r} is not between 0 and 1")
    present = now or datetime.now(UTC)
    if present.tzinfo is None:
        raise ConfigError("now: a time without a zone")
    given = {"user": user_id, "label": label, "model": model}
    values = {kind: name for kind, name in given.items() if name is not None}
    folder = StoreFolder(store) if store is not None else find(Path.cwd())
    feed = _shared_feed(folder) if store is None else None
    if feed is not None:
        present = present.astimezone(UTC)
        with told_as_store_error():
            return LedgerPast(feed, present).outlook("", values, period_of(horizon, present, budget), confidence).total
    period = period_of(horizon, present, budget)
    if store is None and not folder.exists:
        raise StoreError("no store here, and no ledger in use: record calls first, with: llmcost run -- python app.py")
    fold(folder)
    with reading(folder) as connection:
        return StorePast(connection, present).outlook("", values, period, confidence).total


def _shared_feed(folder: StoreFolder) -> Feed | None:
    """The foresight of the ledger that is set, where it knows of any call; and that of this process where there is no
    store to read."""
    settings = runtime.config or config.load()
    if runtime.outlook is not None and (settings.ledger is not None or not folder.exists):
        feed = runtime.outlook.publishing().foresight.feed
    elif settings.ledger is None or settings.ledger.startswith("memory:"):
        return None
    else:
        feed = _opened(settings.ledger)
    with told_as_store_error():
        return feed if not folder.exists or feed.states(["global"]) else None


@functools.cache
def _opened(url: str) -> Feed:
    """One connection a ledger, for a program that asks again and again."""
    return open_feed(url)


@contextmanager
def told_as_store_error() -> Iterator[None]:
    """Tell a ledger that cannot be read as people are told of a store that cannot.

    Raises:
        StoreError: the ledger cannot be read.
    """
    try:
        yield
    except LedgerFailure as failure:
        raise StoreError(str(failure)) from None
