"""``llmcost anomalies``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rich.table import Table
from rich.text import Text

from llmcost import config
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.control.feed import FeedRow, open_feed
from llmcost.control.ledger import LedgerFailure
from llmcost.errors import StoreError
from llmcost.insight import Anomaly, WatchSettings
from llmcost.insight.foresight import Round
from llmcost.processors.anomaly import document
from llmcost.processors.foresight import Foresight, book, report_of
from llmcost.processors.outlook import LEDGER_FILE
from llmcost.processors.tray import FOLDER, Tray
from llmcost.report.words import plain
from llmcost.store.database import reading
from llmcost.store.filters import QUARTER_SECONDS, moment
from llmcost.store.history import history
from llmcost.store.paths import StoreFolder

_DAY: Final = 86_400.0
_LEARN_S: Final = 60 * _DAY
_DEFAULT: Final = "30d"


def anomalies(
    since: o.SinceOption = _DEFAULT,
    zone: o.ZoneOption = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """Incidents: since when, whose calls, what changed, how much money. Exit code 1 where one is open."""
    place, _ = o.zone_of(zone)
    now = datetime.now(place)
    first = moment("--since", since or _DEFAULT, now) * QUARTER_SECONDS
    last = incidents(_reports(o.store_folder(store), store, first, now.timestamp()))
    if as_json:
        print(json.dumps([_document(report) for report in last], indent=2))
    else:
        _show(last, place)
    return FINDINGS if any(report.event != "closed" for report in last) else CLEAN


def incidents(reports: Iterable[Anomaly]) -> list[Anomaly]:
    """The last report of each incident, the newest incident first."""
    last = {report.incident: report for report in reports}
    return sorted(last.values(), key=lambda report: (-report.since, report.scope))


def _reports(folder: StoreFolder, option: Path | None, since: float, now: float) -> list[Anomaly]:
    """What the ledger knows, brought up to date; where there is no ledger, what the store's past gives."""
    settings = config.load().anomalies
    watch = WatchSettings(sensitivity=settings.sensitivity, at_least=settings.at_least)
    ledger = folder.root / LEDGER_FILE
    feed = open_feed(f"sqlite://{quote(str(ledger.resolve()))}")
    if ledger.with_name("ledger.foresight.db").exists():
        part = Foresight(feed, watch, tray=Tray(folder.root / FOLDER), history=_past(folder))
        try:
            part.send([])
            part.advance()
            found = [report_of(text) for text in feed.reports(0)]
        except LedgerFailure as failure:
            raise StoreError(f"{ledger.name}: {failure}") from None
        finally:
            feed.close()
    else:
        with o.opened(option) as connection:
            found = replayed(connection, watch, since, now)
    return [report for report in found if report.timestamp >= since]


def _past(folder: StoreFolder) -> Any:
    def rows(since: float, until: float) -> Iterable[FeedRow]:
        with reading(folder) as connection:
            yield from history(connection, since, until)

    return rows if folder.exists else None


def replayed(connection: sqlite3.Connection, watch: WatchSettings, since: float, now: float) -> list[Anomaly]:
    """What the watch would have said of the calls of a store."""
    round_ = Round({}, watch)
    book(round_, history(connection, since - _LEARN_S, now))
    round_.advance(now)
    return round_.found


def _show(last: Sequence[Anomaly], zone: tzinfo) -> None:
    console = o.console()
    if not last:
        console.print("No anomalies.")
    for head, over in (("Open", False), ("Over", True)):
        reports = [report for report in last if (report.event == "closed") is over]
        if reports:
            console.print(Text(f"{head}: {len(reports)}", "bold"))
            console.print(_table(reports, zone))


def _table(reports: Sequence[Anomaly], zone: tzinfo) -> Table:
    table = Table.grid(padding=(0, 1))
    for report in reports:
        told = Text(plain(report.in_words(zone)))
        table.add_row(Text(f"  {report.severity}", "" if report.event == "closed" else "red"), told)
    return table


def _document(report: Anomaly) -> dict[str, Any]:
    return {**document(report), "open": report.event != "closed"}
