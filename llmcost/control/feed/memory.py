"""The feed of one process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from llmcost.control.feed.contract import (
    MOST_KEYS,
    NAMES_KEPT_S,
    REPORTS_KEPT_S,
    FeedRow,
    Found,
    Kept,
    Step,
    Sums,
    until_of,
)
from llmcost.control.ledger.forks import rebuild_in_child


class MemoryFeed:
    """See :class:`~llmcost.control.feed.contract.Feed`. A forked child goes on alone, with what was known at the fork.

    Args:
        clock: Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self._lock = threading.Lock()
        self._cursor: int | None = None
        self._rows: dict[tuple[int, str], Sums] = {}
        self._keys: OrderedDict[str, Kept] = OrderedDict()
        self._found: dict[str, tuple[Found, bool]] = {}
        self._names: dict[str, float] = {}
        self._claimed: tuple[int | None, float] = (None, 0.0)
        self._dropped = 0
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """The lock may be held by a thread that the child does not have."""
        self._lock = threading.Lock()

    def add(self, rows: Iterable[FeedRow], once: str) -> None:
        """See the contract."""
        with self._lock:
            if once in self._names:
                return
            self._names[once] = self.now()
            for slot, who, sums in rows:
                place = (slot if self._cursor is None else max(slot, self._cursor), who)
                before = self._rows.get(place, Sums())
                self._rows[place] = Sums(*(a + b for a, b in zip(before, sums, strict=True)))

    def due(self, grace_s: float, most_s: float) -> Step | None:
        """See the contract."""
        with self._lock:
            first = min((slot for slot, _ in self._rows), default=None)
            awake = any(kept.awake for kept in self._keys.values())
            until = until_of(self.now(), grace_s, most_s, first)
            if until <= (self._cursor or 0) or (not awake and (first is None or first >= until)):
                return None
            return Step(self._cursor, until, self._before(until))

    def awake(self) -> list[str]:
        """See the contract."""
        with self._lock:
            return sorted(key for key, kept in self._keys.items() if kept.awake)

    def states(self, keys: Iterable[str]) -> dict[str, str]:
        """See the contract."""
        with self._lock:
            return {key: self._keys[key].state for key in keys if key in self._keys}

    def keys(self, kind: str, most: int) -> list[str]:
        """See the contract."""
        with self._lock:
            return [key for key in reversed(self._keys) if key.partition("=")[0] == kind][:most]

    def claim(self, step: Step, for_s: float) -> bool:
        """See the contract."""
        with self._lock:
            cursor, until = self._claimed
            if cursor == step.cursor and until > self.now():
                return False
            self._claimed = (step.cursor, self.now() + for_s)
            return True

    def commit(self, step: Step, kept: Sequence[Kept], found: Sequence[Found], most_keys: int = MOST_KEYS) -> bool:
        """See the contract."""
        with self._lock:
            if step.cursor != self._cursor or list(step.rows) != self._before(step.until):
                return False
            self._cursor = step.until
            for place in [place for place in self._rows if place[0] < step.until]:
                del self._rows[place]
            for one in kept:
                self._keys[one.key] = one
                self._keys.move_to_end(one.key)
            while len(self._keys) > most_keys:
                self._keys.popitem(last=False)
                self._dropped += 1
            for report in found:
                self._found.setdefault(report.name, (report, False))
            before = self.now() - NAMES_KEPT_S
            self._names = {name: at for name, at in self._names.items() if at >= before}
            oldest = self.now() - REPORTS_KEPT_S
            self._found = {name: entry for name, entry in self._found.items() if entry[0].at >= oldest}
            return True

    def take(self) -> list[str]:
        """See the contract."""
        with self._lock:
            news = [report for report, told in self._found.values() if not told]
            self._found = {name: (report, True) for name, (report, _) in self._found.items()}
        return [report.report for report in sorted(news, key=lambda report: (report.at, report.name))]

    def reports(self, since: float) -> list[str]:
        """See the contract."""
        with self._lock:
            known = [report for report, _ in self._found.values() if report.at >= since]
        return [report.report for report in sorted(known, key=lambda report: (report.at, report.name))]

    def dropped(self) -> int:
        """See the contract."""
        return self._dropped

    def close(self) -> None:
        """Nothing to let go of."""

    def _before(self, until: int) -> list[FeedRow]:
        return [FeedRow(slot, who, sums) for (slot, who), sums in sorted(self._rows.items()) if slot < until]
