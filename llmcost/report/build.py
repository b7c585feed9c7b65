"""From the store to a report."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from llmcost import semconv
from llmcost.report.model import Day, Report, Row, Trust
from llmcost.report.words import plural
from llmcost.store.dimensions import dimension
from llmcost.store.filters import Filter
from llmcost.store.percentiles import p95, p95_of_all
from llmcost.store.query import Group, Sums, breakdown, first_and_last, marks, totals

NO_MAP: Final = "No semantic map: all calls are untracked. Run `llmcost scan`."
_TRUST_OF_STATUS: Final = {
    "priced": "exact",
    "explicit": "exact",
    "not_billed": "exact",
    "counted_elsewhere": "exact",
    "estimated": "estimated",
    "partial": "partial",
    "zero_listed": "zero_listed",
}
"""What a cost status says about trust; any other status counts as unpriced."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is asked for.

    Attributes:
        by: a dimension or a context key.
        wanted: which calls.
        zone: the zone of days and of the times shown, with its ``zone_name``.
        limit: rows shown; the others are folded into one.
        charts: whether days and models are wanted as well.
        mapped: whether a semantic map was found.
    """

    by: str
    wanted: Filter
    zone: tzinfo
    zone_name: str
    limit: int | None = None
    charts: bool = False
    mapped: bool = True


def build(connection: sqlite3.Connection, question: Question) -> Report:
    """Ask the store and compose the report."""
    whole = totals(connection, question.wanted)
    trust = _trust(connection, question)
    rows, notes = _rows(connection, question.by, question, whole)
    since, until = _range(connection, question)
    return Report(
        by=question.by,
        title=dimension(question.by).title,
        rows=rows,
        total=_row(Group("", whole), whole.nano, _p95_of_all(connection, question, whole)),
        trust=trust,
        since=since,
        until=until,
        zone=question.zone_name,
        filters=tuple((name, value) for name, values in question.wanted.values.items() for value in values),
        notes=(*notes, *_remarks(question, trust)),
        days=_days(connection, question) if question.charts else (),
        models=_rows(connection, "model", question, whole)[0] if question.charts else (),
    )


def _rows(
    connection: sqlite3.Connection, by: str, question: Question, whole: Sums
) -> tuple[tuple[Row, ...], list[str]]:
    groups = breakdown(connection, by, question.wanted, question.zone)
    made_up: list[Group] = []
    notes: list[str] = []
    if by == "model":
        made_up = [group for group in groups if group.sums.errors == group.sums.calls and not group.sums.nano]
        groups = [group for group in groups if group not in made_up]
    shown, rest = groups, list[Group]()
    if question.limit is not None and len(groups) > question.limit + 1 and dimension(by).side != "quarter":
        shown, rest = groups[: question.limit], groups[question.limit :]
    tail = p95(connection, by, shown, question.wanted, question.zone)
    rows = [_row(group, whole.nano, tail.get(group.key)) for group in shown]
    if made_up:
        rows.append(_folded(semconv.OTHER_MODEL, made_up, whole.nano))
        notes.append(f"{plural(len(made_up), 'model name')} that never succeeded folded into 'other'.")
    if rest:
        rows.append(_folded("(others)", rest, whole.nano))
        notes.append(f"{plural(len(rest), 'further row')} folded into '(others)'; --limit 0 shows all.")
    return tuple(rows), notes


def _row(group: Group, money: int, tail: int | None) -> Row:
    sums = group.sums
    return Row(
        key=group.key,
        nano=sums.nano if sums.priced else None,
        share=sums.nano / money if money else 0.0,
        calls=sums.calls,
        unpriced=sums.unpriced,
        average=round(sums.nano / sums.priced) if sums.priced else None,
        p95=tail,
        input_tokens=sums.input,
        output_tokens=sums.output,
        cached_tokens=sums.cached,
        errors=sums.errors,
    )


def _folded(key: str, groups: list[Group], money: int) -> Row:
    sums = sum((group.sums for group in groups), Sums())
    return replace(_row(Group(key, sums), money, None), folded=len(groups))


def _p95_of_all(connection: sqlite3.Connection, question: Question, whole: Sums) -> int | None:
    return p95_of_all(connection, whole.priced, question.wanted) if whole.priced else None


def _trust(connection: sqlite3.Connection, question: Question) -> Trust:
    calls = Counter[str]()
    for group in breakdown(connection, "status", question.wanted, question.zone):
        calls[_TRUST_OF_STATUS.get(group.key, "unpriced")] += group.sums.calls
    labelled = breakdown(connection, "label", question.wanted, question.zone)
    counted = marks(connection, question.wanted)
    return Trust(
        calls=calls.total(),
        untracked=sum(group.sums.calls for group in labelled if group.key == semconv.UNTRACKED),
        unseen=counted.get("unseen", 0),
        lost=counted.get("dropped", 0) + counted.get("torn", 0),
        **calls,
    )


def _range(connection: sqlite3.Connection, question: Question) -> tuple[str | None, str | None]:
    found = first_and_last(connection, question.wanted)
    first, last = found or (None, None)
    since = question.wanted.since if question.wanted.since is not None else first
    until = question.wanted.until if question.wanted.until is not None or last is None else last + 1
    return _iso(since, question.zone), _iso(until, question.zone)


def _iso(quarter: int | None, zone: tzinfo) -> str | None:
    return None if quarter is None else datetime.fromtimestamp(quarter * 900, zone).isoformat(timespec="minutes")


def _remarks(question: Question, trust: Trust) -> list[str]:
    remarks = []
    if trust.calls and not question.mapped and trust.untracked:
        remarks.append(NO_MAP if trust.untracked == trust.calls else NO_MAP.replace("all calls", "some calls"))
    if trust.lost:
        remarks.append(f"{plural(trust.lost, 'record')} lost: the store could not be written, or a write was cut.")
    return remarks


def _days(connection: sqlite3.Connection, question: Question) -> tuple[Day, ...]:
    groups = breakdown(connection, "day", question.wanted, question.zone)
    return tuple(Day(group.key, group.sums.nano, group.sums.calls) for group in groups)
