"""The two engines together, series by series: what is kept of each is text, so that any process can go on with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, cast, get_args

from llmcost.insight.anomalies import Anomaly, Scope, ScopeKind
from llmcost.insight.forecaster import Forecaster
from llmcost.insight.key_watch import KeyWatch, WatchSettings
from llmcost.insight.samples import Sample
from llmcost.insight.state import Resumable

WATCHED: Final[frozenset[str]] = frozenset(get_args(ScopeKind))
"""Kinds of scope that are watched for anomalies; any other, such as a tenant, is only forecast."""


DEFAULTS: Final = WatchSettings()


class Series(Resumable):
    """One series: its forecaster, its watch, and what it spent this month.

    Attributes:
        forecaster: says what a period will cost.

    Args:
        kind, name: whose spend.
        settings: what is worth a report.
    """

    __slots__ = ("_month", "_of", "_spent", "_watch", "forecaster")
    STATE: ClassVar[tuple[str, ...]] = ("forecaster", "_month", "_spent", "_watch")

    def __init__(self, kind: str, name: str, settings: WatchSettings) -> None:
        self.forecaster = Forecaster()
        self._month = 0
        self._spent = 0.0
        self._of = Scope(cast("ScopeKind", kind), name), settings
        self._watch = KeyWatch(*self._of) if kind in WATCHED else None

    def load(self, values: Sequence[Any]) -> None:
        """Take up the state that :meth:`dump` wrote. A watch of another version begins anew, the forecast goes on: it
        takes a week to learn, the watch a day.

        Raises:
            ValueError: the values are not the state of a series.
        """
        forecaster, month, spent, watch = values
        self.forecaster.load(forecaster)
        self._month, self._spent = month, spent
        if self._watch is not None:
            with contextlib.suppress(ValueError, TypeError):
                known = KeyWatch(*self._of)
                known.load(watch)
                self._watch = known

    @property
    def awake(self) -> bool:
        """Whether there may be something to report although no call comes."""
        return self._watch is not None and not self._watch.idle

    @property
    def present(self) -> Anomaly | None:
        """The incident that was reported and goes on, as it stands now."""
        return None if self._watch is None else self._watch.present

    def spent(self, now: float) -> float:
        """USD spent since the month (UTC) began."""
        return self._spent if self._month == month_of(now) else 0.0

    def update(self, at: float, samples: Iterable[Sample]) -> list[Anomaly]:
        """Book samples at a Unix time."""
        found: list[Anomaly] = []
        if self._month != month_of(at):
            self._month, self._spent = month_of(at), 0.0
        for sample in samples:
            cost = sample.cost or 0.0
            self.forecaster.update(at, cost)
            self._spent += cost
            if self._watch is not None:
                found += self._watch.update(at, sample)
        return found

    def advance(self, now: float) -> list[Anomaly]:
        """Move the clock."""
        return self._watch.advance(now) if self._watch is not None else []


class Round:
    """One round over some series: takes up their states, books what came, and writes the states anew.

    Args:
        states: key to text, of the series that are known.
        settings: what is worth a report.
    """

    def __init__(self, states: Mapping[str, str], settings: WatchSettings) -> None:
        self._settings = settings
        self._series: dict[str, Series] = {}
        self.found: list[Anomaly] = []
        for key, text in states.items():
            self._series[key] = restored(key, text, settings)

    def book(self, at: float, scopes: Iterable[tuple[str, str, str]], samples: list[Sample]) -> None:
        """Book samples at a Unix time in each of the scopes: key, kind and name."""
        for key, kind, name in scopes:
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = Series(kind, name, self._settings)
            self.found += series.update(at, samples)

    def advance(self, now: float) -> None:
        """Move the clock of all series."""
        for key in sorted(self._series):
            self.found += self._series[key].advance(now)
        self.found.sort(key=lambda report: (report.timestamp, report.scope))

    def present(self) -> list[Anomaly]:
        """The incidents that were reported and go on, as they stand now."""
        return [incident for series in self._series.values() if (incident := series.present) is not None]

    def kept(self) -> list[tuple[str, str, bool]]:
        """Key, text and whether the series is awake."""
        return [(key, text_of(series), series.awake) for key, series in self._series.items()]


def text_of(series: Series) -> str:
    """The state of a series as text."""
    return json.dumps(series.dump(), separators=(",", ":"))


def restored(key: str, text: str, settings: WatchSettings = DEFAULTS) -> Series:
    """The series that a key and its text stand for. A text of another version begins anew."""
    kind, _, name = key.partition("=")
    series = Series(kind, name, settings)
    try:
        series.load(json.loads(text))
    except (ValueError, TypeError):
        return Series(kind, name, settings)
    return series


def month_of(at: float) -> int:
    """The number of the month (UTC) that holds an instant."""
    day = datetime.fromtimestamp(at, UTC)
    return 12 * day.year + day.month


def month_end(at: float) -> float:
    """When the month (UTC) ends that holds an instant, in Unix seconds."""
    day = datetime.fromtimestamp(at, UTC)
    year, month = divmod(12 * day.year + day.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
