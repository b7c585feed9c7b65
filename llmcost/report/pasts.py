"""Where forecasts take the past from: the store of one machine, or a ledger that many share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from llmcost.calls import NANO
from llmcost.control.feed import Feed, key_of
from llmcost.errors import ConfigError
from llmcost.insight import Forecaster
from llmcost.insight.foresight import DEFAULTS, Series, restored
from llmcost.report.outlook import Known, Past, Period
from llmcost.store.filters import QUARTER_SECONDS, Filter
from llmcost.store.query import Spend

HISTORY_DAYS: Final = 400
_TOP_DAYS: Final = 30
_DAY: Final = 86_400.0
_SCOPES: Final = {"type": "call_type"}
"""Dimensions of the store whose name as a scope is another."""


class StorePast(Past):
    """The past of a store: every call, by any of its dimensions.

    Args:
        connection: a reading connection.
        now: the present, with the zone in which days begin.
    """

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        super().__init__(now)
        self._connection = connection

    def quarters(self, values: Mapping[str, str]) -> list[tuple[float, float | None]]:
        """Unix time and USD of each quarter of an hour with calls; None where no cost of it is known."""
        since = int(self.now - HISTORY_DAYS * _DAY) // QUARTER_SECONDS
        wanted = Filter(since=since, values={name: (value,) for name, value in values.items()})
        rows = Spend(self._connection, wanted, self.zone).by_quarter()
        return [(quarter * QUARTER_SECONDS, None if nano is None else nano / NANO) for quarter, nano in rows]

    def names(self, kind: str, most: int) -> list[str]:
        """The values of a dimension that spent most in the last thirty days."""
        since = int(self.now - _TOP_DAYS * _DAY) // QUARTER_SECONDS
        groups = Spend(self._connection, Filter(since=since), self.zone).by(kind)
        return [group.key for group in groups if group.key][:most]

    def known(self, values: Mapping[str, str], period: Period) -> Known:
        """See the base."""
        quarters = self.quarters(values)
        spends = [(at, cost) for at, cost in quarters if cost is not None]
        forecaster = Forecaster(self.offset())
        for at, cost in spends:
            forecaster.update(at, cost)
        return Known(forecaster, spends, _spent(quarters, period.start) if period.spent is None else period.spent)


class LedgerPast(Past):
    """What the ledger's foresight knows: the calls of all machines, each user, label, model and value of a budget's
    scope apart. It remembers four weeks by day, and its days are those of UTC.

    Args:
        feed: the ledger's foresight.
        now: the present.
    """

    def __init__(self, feed: Feed, now: datetime) -> None:
        super().__init__(now.astimezone(UTC))
        self._feed = feed

    def names(self, kind: str, most: int) -> list[str]:
        """The values of a scope that were called last."""
        return [key.partition("=")[2] for key in self._feed.keys(_SCOPES.get(kind, kind), most)]

    def series(self, values: Mapping[str, str]) -> Series:
        """The series of these values, empty where the ledger knows of none.

        Raises:
            ConfigError: there are several values.
        """
        if len(values) > 1:
            raise ConfigError(f"{' and '.join(values)}: a ledger keeps each apart, only a store knows both at once")
        kind, name = next(iter(values.items()), ("global", ""))
        key = key_of(_SCOPES.get(kind, kind), name)
        state = self._feed.states([key]).get(key)
        return Series(kind, name, DEFAULTS) if state is None else restored(key, state)

    def known(self, values: Mapping[str, str], period: Period) -> Known:
        """See the base."""
        series = self.series(values)
        spends = series.forecaster.past(self.now)
        if period.spent is not None:
            spent = period.spent
        elif period.start < self.now:
            spent = series.spent(self.now)
        else:
            spent = 0.0
        return Known(series.forecaster, spends, spent)


def _spent(quarters: list[tuple[float, float | None]], start: float) -> float | None:
    """USD from a time on; None where there are calls and the cost of none is known."""
    costs = [cost for at, cost in quarters if at >= start]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known or not costs else None
