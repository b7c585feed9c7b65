"""The way from calls to foresight: sums go to the feed, what is due is taken in, and what was found is told."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Final

from llmcost.calls import NANO
from llmcost.control.feed import Feed, FeedRow, Found, Kept, Step, Sums, key_of, scopes_of, who_of
from llmcost.control.ledger import LedgerFailure
from llmcost.insight import Anomaly, Sample, WatchSettings
from llmcost.insight.foresight import Round
from llmcost.processors.sums import Row
from llmcost.processors.tray import Tray

log: Final = logging.getLogger("llmcost")

GRACE_S: Final = 60.0
"""A slot is taken in when it has been over for so long: processes write their sums every fifteen seconds."""
HISTORY_S: Final = 90 * 86_400.0
"""How far back the store is read where foresight starts anew."""
_PIECE_S: Final = 86_400.0
"""Slots taken in at once, at most."""
_MOST_PIECES: Final = 20
_CLAIM_S: Final = 30.0
"""A process that claimed a step and died leaves it to the others after so long."""
_MOST_UNSENT: Final = 240
"""Rounds of the timer whose sums wait for a ledger that is gone: an hour."""

History = Callable[[float, float], Iterable[FeedRow]]


class Foresight:
    """What this process has to do with the feed. All of it happens in the timer's thread.

    Args:
        feed: where all processes meet.
        settings: what is worth a report.
        tray: where processes that ended left what they had.
        history: rows of a range of Unix time from before the feed began.
        grace_s: how long a slot must be over.
    """

    def __init__(
        self,
        feed: Feed,
        settings: WatchSettings,
        *,
        tray: Tray | None = None,
        history: History | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self.feed = feed
        self._settings = settings
        self._tray = tray
        self._history = history
        self._grace_s = grace_s
        self._unsent: dict[str, list[FeedRow]] = {}
        self._warned = False

    def send(self, rows: Sequence[Row]) -> None:
        """Write sums. Where that fails they wait for the next time, under the same name: nothing is booked twice."""
        if rows and len(self._unsent) < _MOST_UNSENT:
            self._unsent[uuid.uuid4().hex] = feed_rows(rows)
        try:
            for name in list(self._unsent):
                self.feed.add(self._unsent[name], name)
                del self._unsent[name]
            self._adopt()
        except LedgerFailure as failure:
            self._warn(failure)
        else:
            self._warned = False

    def _adopt(self) -> None:
        for name in self._tray.found() if self._tray is not None else ():
            assert self._tray is not None
            self.feed.add(feed_rows(self._tray.read(name)), name)
            self._tray.done(name)

    def advance(self) -> int:
        """Take in what is due; returns how many steps this process took. Another may take them as well."""
        taken = 0
        try:
            while taken < _MOST_PIECES and (step := self.feed.due(self._grace_s, _PIECE_S)) is not None:
                if not self.feed.claim(step, _CLAIM_S) or not self._take_in(step):
                    break
                taken += 1
        except LedgerFailure as failure:
            self._warn(failure)
        return taken

    def news(self) -> list[Anomaly]:
        """Reports for this process to tell; no other process gets them."""
        try:
            return [report_of(text) for text in self.feed.take()]
        except LedgerFailure as failure:
            self._warn(failure)
            return []

    def _take_in(self, step: Step) -> bool:
        keys = {key for row in step.rows for key, _, _ in scopes(row.who)}
        round_ = Round(self.feed.states(keys.union(self.feed.awake())), self._settings)
        if step.cursor is None and self._history is not None and step.rows:
            first = step.rows[0].slot
            book(round_, self._history(first - HISTORY_S, first))
            # What happened before anybody watched is learnt, not told.
            round_.found.clear()
        book(round_, step.rows)
        round_.advance(step.until)
        kept = [Kept(key, text, awake) for key, text, awake in round_.kept()]
        return self.feed.commit(step, kept, [found_of(report) for report in round_.found])

    def _warn(self, failure: LedgerFailure) -> None:
        if not self._warned:
            self._warned = True
            log.warning("llmcost: forecast and anomalies wait for the ledger (%s)", failure)


def feed_rows(rows: Sequence[Row]) -> list[FeedRow]:
    """Sums of a process as the feed takes them."""
    return [FeedRow(slot, who_of(values), Sums._make(sums)) for slot, values, sums in rows]


def book(round_: Round, rows: Iterable[FeedRow]) -> None:
    """Book rows, which come in the order of time."""
    for slot, who, sums in rows:
        round_.book(slot, scopes(who), samples(sums, scopes_of(who).get("model")))


def scopes(who: str) -> Iterator[tuple[str, str, str]]:
    """The series that a row belongs to: key, kind and name."""
    yield key_of("global"), "global", ""
    for kind, name in scopes_of(who).items():
        if name:
            yield key_of(kind, name), kind, name


def samples(sums: Sums, model: str | None) -> list[Sample]:
    """Sums as the engines take them: calls of unknown price stand apart, since unknown is not zero."""
    calls, priced, nano, tokens, errors, retries = sums
    if priced == calls or not priced:
        cost = nano / NANO if priced else None
        return [Sample(cost, calls, tokens, errors, retries, model)]
    return [
        Sample(nano / NANO, priced, tokens, 0, 0, model),
        Sample(None, calls - priced, 0, errors, retries, model),
    ]


def found_of(report: Anomaly) -> Found:
    """A report as the feed keeps it."""
    name = f"{report.incident}:{report.event}:{int(report.timestamp)}"
    document = {**asdict(report), "scope": list(report.scope)}
    return Found(name, report.timestamp, json.dumps(document, separators=(",", ":")))


def report_of(text: str) -> Anomaly:
    """The report that :func:`found_of` wrote."""
    return Anomaly.of(json.loads(text))
