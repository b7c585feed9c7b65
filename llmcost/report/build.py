"""From the store to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from llmcost import semconv
from llmcost.report.model import Day, Report, Row, Trust
from llmcost.report.words import plural
from llmcost.store.dimensions import dimension
from llmcost.store.filters import QUARTER_SECONDS, Filter
from llmcost.store.percentiles import p95, p95_of_all
from llmcost.store.query import Group, Spend, Sums, added

NO_MAP: Final = "No semantic map: all calls are untracked. Run `llmcost scan`."
_UNSURE: Final = "? The label is unsure; settle it: `llmcost sections set FILE:FUNCTION LABEL`."
_CONTEXT: Final = "a program names it with `llmcost.context(...)`"
_NAMED_BY: Final = {
    "run": "`llmcost run` does, or the setting `run_id`",
    "path": "a program names it with `llmcost.section(...)`",
}
"""How a call gets the value of a dimension, where that is not by its context."""
_SHOWN: Final = 5
"""Names that a note lists."""
_TRUST_OF_STATUS: Final = {
    "priced": "exact",
    "explicit": "exact",
    "estimated": "estimated",
    "partial": "partial",
    "zero_listed": "zero_listed",
    "not_billed": "not_billed",
    "counted_elsewhere": "counted_elsewhere",
}
"""What a cost status says about trust; any other status counts as unpriced."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is asked for.

    Attributes:
        by: a dimension or a context key.
        zone_name: how the zone of the report is called.
        limit: rows shown; the others are folded into one.
        charts: whether days and models are wanted as well.
        mapped: whether a semantic map was found.
        unsure: labels that the scan was not sure of.
    """

    by: str
    zone_name: str
    limit: int | None = None
    charts: bool = False
    mapped: bool = True
    unsure: Collection[str] = ()


def build(spend: Spend, question: Question) -> Report:
    """Ask the store and compose the report."""
    doubtful = {label: calls for label, calls in spend.from_map().items() if label in question.unsure}
    trust = _trust(spend, doubtful)
    rows, notes = _rows(spend, question.by, question.limit)
    if dimension(question.by).name == "label":
        rows = tuple(replace(row, unsure=row.key in doubtful) for row in rows)
    since, until = _range(spend)
    return Report(
        by=question.by,
        title=dimension(question.by).title,
        rows=rows,
        total=_row(Group("", spend.total), spend.total.nano, p95_of_all(spend)),
        trust=trust,
        since=since,
        until=until,
        zone=question.zone_name,
        filters=tuple((name, value) for name, values in spend.asked.values.items() for value in values),
        notes=(
            *notes,
            *values_of_no_call(spend),
            *_unnamed(question.by, rows),
            *_remarks(question, trust, spend.total.unpriced),
        ),
        days=_days(spend) if question.charts else (),
        models=_rows(spend, "model", question.limit)[0] if question.charts else (),
    )


def _rows(spend: Spend, by: str, limit: int | None) -> tuple[tuple[Row, ...], list[str]]:
    groups, made_up, rest = spend.by(by), list[Group](), list[Group]()
    if by == "model":
        made_up = [group for group in groups if _never_succeeded(group.sums)]
        groups = [group for group in groups if not _never_succeeded(group.sums)]
    if limit is not None and len(groups) > limit + 1 and dimension(by).side != "quarter":
        groups, rest = groups[:limit], groups[limit:]
    tail = p95(spend, by, groups)
    rows = [_row(group, spend.total.nano, tail.get(group.key)) for group in groups]
    notes = []
    if made_up:
        rows.append(_folded(semconv.OTHER_MODEL, made_up, spend.total.nano))
        notes.append(f"{plural(len(made_up), 'model name')} that never succeeded folded into 'other'.")
    if rest:
        rows.append(_folded("(others)", rest, spend.total.nano))
        notes.append(f"{plural(len(rest), 'further row')} folded into '(others)'; --limit 0 shows all.")
    return tuple(rows), notes


def _never_succeeded(sums: Sums) -> bool:
    return sums.errors == sums.calls and not sums.nano


def _row(group: Group, money: int, tail: int | None) -> Row:
    sums = group.sums
    read, written, cached = sums.tokens
    return Row(
        key=group.key,
        nano=sums.due,
        share=None if sums.due is None else sums.due / money if money else 0.0,
        calls=sums.calls,
        unpriced=sums.unpriced,
        average=round(sums.nano / sums.priced) if sums.priced else None,
        p95=tail,
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        errors=sums.errors,
    )


def _folded(key: str, groups: list[Group], money: int) -> Row:
    return replace(_row(Group(key, added(group.sums for group in groups)), money, None), folded=len(groups))


def _trust(spend: Spend, doubtful: Mapping[str, int]) -> Trust:
    calls = Counter[str]()
    for group in spend.by("status"):
        calls[_TRUST_OF_STATUS.get(group.key, "unpriced")] += group.sums.calls
    counted = spend.marks()
    return Trust(
        calls=calls.total(),
        untracked=sum(group.sums.calls for group in spend.by("label") if group.key == semconv.UNTRACKED),
        unsure=sum(doubtful.values()),
        unseen=counted.get("unseen", 0),
        lost=counted.get("dropped", 0) + counted.get("torn", 0),
        **calls,
    )


def _range(spend: Spend) -> tuple[str | None, str | None]:
    """What the user asked for; where nothing was asked, from the first call to the last."""
    first, last = spend.first_and_last() or (None, None)
    since, until = (
        None if quarter is None else quarter * QUARTER_SECONDS for quarter in (spend.wanted.since, spend.wanted.until)
    )
    return _iso(first if since is None else since, spend.zone), _iso(last if until is None else until, spend.zone)


def _iso(moment: float | None, zone: tzinfo) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, zone).isoformat(timespec="minutes")


def _remarks(question: Question, trust: Trust, unpriced: int) -> list[str]:
    remarks = []
    if trust.calls and not question.mapped and trust.untracked:
        remarks.append(NO_MAP if trust.untracked == trust.calls else NO_MAP.replace("all calls", "some calls"))
    if trust.unsure:
        remarks.append(_UNSURE)
    if unpriced:
        remarks.append(f"* {plural(unpriced, 'call')} of unknown cost not included; `llmcost doctor` names the models.")
    if trust.lost:
        remarks.append(f"{plural(trust.lost, 'record')} lost: the store could not be written, or a write was cut.")
    return remarks


def _unnamed(by: str, rows: tuple[Row, ...]) -> list[str]:
    """Where no call says who asked for it: how calls do."""
    chosen = dimension(by)
    if chosen.side != "origin" or [row.key for row in rows] != [""]:
        return []
    return [f"No call names its {chosen.title.lower()}; {_NAMED_BY.get(chosen.name, _CONTEXT)}."]


def values_of_no_call(spend: Spend) -> list[str]:
    """Where a filter leaves nothing: which of its values no call has, with those that calls have."""
    if spend.total.calls:
        return []
    everything, remarks = Spend(spend.connection, Filter(), spend.zone), []
    for name, values in spend.asked.values.items():
        known = [group.key for group in everything.by(name) if group.key]
        for value in values:
            if value not in known:
                some = f"; there are {', '.join(known[:_SHOWN])}" if known else ""
                remarks.append(f"No call has the {dimension(name).title.lower()} {value!r}{some}.")
    return remarks


def _days(spend: Spend) -> tuple[Day, ...]:
    return tuple(Day(group.key, group.sums.due, group.sums.calls) for group in spend.by("day"))
