"""``llmcost anomalies``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from llmcost import config
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.cli.foresight import known_feed, watch_settings
from llmcost.insight import Anomaly, WatchSettings
from llmcost.insight.foresight import Round, restored
from llmcost.insight.grades import worst
from llmcost.processors.anomaly import document
from llmcost.processors.foresight import book, report_of
from llmcost.report.words import plain
from llmcost.store.filters import QUARTER_SECONDS, moment
from llmcost.store.history import history

_DAY: Final = 86_400.0
_TOLD_FIRST: Final = ("label", "user", "model", "global")
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
    last = [report for report in _incidents(store, first, now.timestamp()) if report.timestamp >= first]
    if as_json:
        print(json.dumps([_document(report) for report in last], indent=2))
    else:
        _show(last, place)
    return FINDINGS if any(report.event != "closed" for report in last) else CLEAN


def incidents(reports: Iterable[Anomaly]) -> list[Anomaly]:
    """The last report of each incident, the newest incident first."""
    last = {report.incident: report for report in reports}
    return sorted(last.values(), key=lambda report: (-report.since, report.scope))


def _incidents(option: Path | None, since: float, now: float) -> list[Anomaly]:
    """What the ledger knows, brought up to date; where it knows nothing, what the store's past gives."""
    with known_feed(option) as feed:
        if feed is not None:
            reports = [report_of(text) for text in feed.reports(0)]
            series = [restored(key, text) for key, text in feed.states(feed.awake()).items()]
            return up_to_date(reports, [one.present for one in series if one.present is not None])
    with o.opened(option) as connection:
        round_ = replayed(connection, watch_settings(config.load()), since, now)
    return up_to_date(round_.found, round_.present())


def up_to_date(reports: Iterable[Anomaly], present: Iterable[Anomaly]) -> list[Anomaly]:
    """Each incident, the open ones as they stand now. One that nobody follows any more is over: its series was dropped,
    or began anew under another version."""
    standing = {report.incident: report for report in present}
    return [
        last if last.event == "closed" else _as_now(last, standing.get(last.incident)) for last in incidents(reports)
    ]


def _as_now(last: Anomaly, now: Anomaly | None) -> Anomaly:
    return replace(last, event="closed") if now is None else replace(now, event=last.event)


def replayed(connection: sqlite3.Connection, watch: WatchSettings, since: float, now: float) -> Round:
    """What the watch would have said of the calls of a store."""
    round_ = Round({}, watch)
    book(round_, history(connection, since - _LEARN_S, now))
    round_.advance(now)
    return round_


def _show(last: Sequence[Anomaly], zone: tzinfo) -> None:
    console = o.console()
    if not last:
        console.print("No anomalies.")
    for head, over in (("Open", False), ("Over", True)):
        groups = together([report for report in last if (report.event == "closed") is over])
        if groups:
            console.print(Text(f"{head}: {len(groups)}", "bold"))
            console.print(_table(groups, zone))


def together(reports: Iterable[Anomaly]) -> list[list[Anomaly]]:
    """Reports of what happened at once, and for the same reason, to a section, its users, its model and the whole: the
    section first, since it says most."""
    groups: dict[tuple[float, str], list[Anomaly]] = {}
    for report in reports:
        groups.setdefault((report.since, report.cause), []).append(report)
    return [sorted(group, key=lambda one: (_TOLD_FIRST.index(one.scope.kind), one.scope)) for group in groups.values()]


def _table(groups: Iterable[Sequence[Anomaly]], zone: tzinfo) -> Table:
    table = Table.grid(padding=(0, 1))
    for first, *others in groups:
        severity = worst(report.severity for report in (first, *others)) or first.severity
        told = Text(plain(first.in_words(zone)))
        if others:
            told.append(f" Also: {', '.join(plain(str(other.scope)) for other in others)}.", "dim")
        table.add_row(Text(f"  {severity}", "" if first.event == "closed" else "red"), told)
    return table


def _document(report: Anomaly) -> dict[str, Any]:
    return {**document(report), "open": report.event != "closed"}
