"""``llmcost.forecast``: the store's past where there is one, else what the ledger knows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from llmcost.errors import ConfigError, StoreError
from llmcost.insight import CostPrediction, NotEnoughHistory, predict_cost
from llmcost.insight.foresight import restored
from llmcost.report.outlook import Period, StorePast, period_of
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
        store: the store's folder; the nearest ``.llmcost`` by default.
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
    period = period_of(horizon, present, budget)
    given = {"user": user_id, "label": label, "model": model}
    values = {kind: name for kind, name in given.items() if name is not None}
    folder = StoreFolder(store) if store is not None else find(Path.cwd())
    if store is None and not folder.exists:
        return _by_ledger(values, period, present.timestamp(), confidence)
    fold(folder)
    with reading(folder) as connection:
        return StorePast(connection, present).outlook("", values, period, confidence).total


def _by_ledger(
    values: dict[str, str], period: Period, now: float, confidence: float
) -> CostPrediction | NotEnoughHistory:
    if runtime.outlook is None:
        raise StoreError("no store here, and no ledger in use: record calls first, with: llmcost run -- python app.py")
    if len(values) > 1:
        raise ConfigError("without a store, a forecast is of one user, label or model")
    key = next((f"{kind}={name}" for kind, name in values.items()), "global")
    state = runtime.outlook.publishing().foresight.feed.states([key]).get(key)
    if state is None:
        return NotEnoughHistory(0)
    series = restored(key, state)
    spent = series.spent(now) if period.start < now else 0.0
    found = series.forecaster.predict(period.end, now, spent)
    return predict_cost(found, budget=period.limit, confidence=confidence)
