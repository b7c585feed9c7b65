"""Foresight's part in the path of a call: a sum in memory, and a timer for all the rest.

The engines, the ledger and what they need are imported by the timer's first round, so that a short script pays for
none of it; what it has summed it leaves in the tray.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor

from llmcost.calls import Call
from llmcost.errors import reason
from llmcost.exchange.guard import guard
from llmcost.processors.outlook_settings import OutlookSettings
from llmcost.processors.pulse import Pulse
from llmcost.processors.sums import CallSums, Row
from llmcost.processors.tray import FOLDER, Tray

if TYPE_CHECKING:
    from llmcost.processors.publishing import Publishing

log: Final = logging.getLogger("llmcost")

LEDGER_FILE: Final = "ledger.db"
"""The ledger's file in the store's folder, where no other ledger is configured."""
_NO_EVENTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = ()


def ledger_url(configured: str | None, folder: Path) -> str:
    """The ledger's URL: as configured, else a file in the store's folder."""
    return configured or f"sqlite://{quote(str(folder / LEDGER_FILE))}"


class OutlookSpanProcessor(SpanProcessor):
    """Adds calls up; the timer writes the sums, has the engines take them in, and publishes.

    Args:
        settings: see there.
        meter_provider: of gauges and counters; the application's by default.
    """

    def __init__(self, settings: OutlookSettings, meter_provider: metrics.MeterProvider | None = None) -> None:
        self._settings = settings
        self._meter_provider = meter_provider
        self._sums = CallSums(settings.further)
        self._tray = Tray(settings.folder / FOLDER) if settings.folder is not None else None
        self._publishing: Publishing | None = None
        self._pulse = Pulse((("outlook", self.beat),), settings.every_s)

    def observe(self, call: Call, context: Context | None = None) -> None:  # noqa: ARG002 - the sums have no exemplars
        """Add a finished call up."""
        self._sums.add(call)
        self._pulse.start()

    def events(self, call: Call) -> Sequence[tuple[str, dict[str, Any]]]:
        """Events for the span of a call that is about to end."""
        return _NO_EVENTS if self._publishing is None else self._publishing.anomaly.events(call)

    def beat(self) -> None:
        """A round of the timer."""
        self.publishing().round(self._sums.drain())

    def publishing(self) -> Publishing:
        """What the rounds work with, made by the first."""
        if self._publishing is None:
            from llmcost.processors.publishing import Publishing

            self._publishing = Publishing(self._settings, self._tray, self._meter_provider)
        return self._publishing

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - a small file takes no time
        """Leave the sums in the tray, or write them where there is none."""
        rows = self._sums.drain()
        if rows:
            with guard("outlook.flush"):
                if self._tray is not None:
                    self._leave(self._tray, rows)
                else:
                    self.publishing().foresight.send(rows)
        return True

    def _leave(self, tray: Tray, rows: Sequence[Row]) -> None:
        """Leave the sums. A disk that cannot be written is no fault of ours, and the store beside has said so."""
        try:
            tray.leave(rows)
        except OSError as exc:
            log.info("llmcost: forecast and anomalies lack the last calls: %s: %s", tray.folder, reason(exc))

    def shutdown(self) -> None:
        """Leave the sums and end."""
        self._pulse.stop()
        self.force_flush()
        if self._publishing is not None:
            self._publishing.close()
