"""The rounds of the timer: sums go to the feed, what is due is taken in, and what is known is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from opentelemetry import metrics

from llmcost.control.feed import FeedRow, open_feed
from llmcost.errors import StoreError
from llmcost.exchange.guard import guard
from llmcost.insight import Severity, WatchSettings
from llmcost.processors.anomaly import AnomalySpanProcessor
from llmcost.processors.forecast import ForecastSpanProcessor
from llmcost.processors.foresight import Foresight, History
from llmcost.processors.outlook_settings import OutlookSettings
from llmcost.processors.sums import Row
from llmcost.processors.tray import Tray
from llmcost.processors.webhook import Webhook


class Publishing:
    """All that a round needs.

    Attributes:
        foresight: this process's part in the feed.
        anomaly: tells what was found.
        forecast: shows the gauges.

    Args:
        settings: of foresight.
        tray: where processes that ended left what they had.
        meter_provider: of gauges and counters; the application's by default.

    Raises:
        ConfigError: the ledger's or the webhook's URL is wrong.
        MissingExtra: the ledger's client is not installed.
    """

    def __init__(
        self, settings: OutlookSettings, tray: Tray | None, meter_provider: metrics.MeterProvider | None
    ) -> None:
        feed = open_feed(settings.ledger)
        watch = WatchSettings(sensitivity=cast("Severity", settings.sensitivity), at_least=settings.at_least)
        past = past_of(settings.store, settings.further) if settings.store is not None else None
        webhook = Webhook(settings.webhook, settings.secret) if settings.webhook else None
        self.foresight = Foresight(feed, watch, tray=tray, history=past)
        self.anomaly = AnomalySpanProcessor(self.foresight, settings.on_anomaly, webhook, meter_provider)
        self.forecast = ForecastSpanProcessor(feed, meter_provider, settings.standings)

    def round(self, rows: Sequence[Row]) -> None:
        """One round. A fault in one part keeps none of the others."""
        with guard("foresight.send"):
            self.forecast.mark(rows)
            self.foresight.send(rows)
        with guard("foresight.advance"):
            self.foresight.advance()
        with guard("anomaly.publish"):
            self.anomaly.publish()
        with guard("forecast.publish"):
            self.forecast.publish()

    def close(self) -> None:
        """Let go of connections; post nothing any more."""
        self.anomaly.shutdown()
        self.foresight.feed.close()


def past_of(folder: Path, further: Sequence[str]) -> History:
    """The past of a store, read when it is asked for."""

    def history(since: float, until: float) -> Iterable[FeedRow]:
        from llmcost.store.database import reading
        from llmcost.store.history import history as rows
        from llmcost.store.paths import StoreFolder

        with ExitStack() as stack:
            try:
                connection = stack.enter_context(reading(StoreFolder(folder)))
            except StoreError:
                return
            yield from rows(connection, since, until, further)

    return history
