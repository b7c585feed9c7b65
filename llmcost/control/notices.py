"""Thresholds that were crossed: told once per budget, value, window and threshold, over all processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from llmcost.control.ledger import Ledger, State
from llmcost.control.plan import GRACE_S, Line
from llmcost.control.policy import Action, Decision, crossing

_MOST_NAMES: Final = 50_000
_THRESHOLDS: Final[tuple[Action, ...]] = ("warn", "degrade", "block")


class News(NamedTuple):
    """A threshold that this process has not told yet."""

    name: str
    until: float
    line: Line
    state: State
    decision: Decision


class Told:
    """Remembers what this process told or found told, so that the ledger is asked once a threshold."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._names: dict[str, float] = {}

    def news(self, lines: Sequence[Line], states: Sequence[State], now: float) -> list[News]:
        """Thresholds that stand crossed and were not told by this process."""
        found: list[News] = []
        for line, state in zip(lines, states, strict=True):
            used = state[0] + state[1]
            if used < line.warn or line.limit is None or line.budget.mode == "observe":
                continue
            for action in _THRESHOLDS:
                amount = getattr(line, action)
                if used >= amount and line.limit:
                    self._add(found, line, state, action, now)
        return found

    def _add(self, found: list[News], line: Line, state: State, action: Action, now: float) -> None:
        # A rolling window has no turn: it is told again after its length.
        window = "" if line.length else line.window.start
        name = f"{line.counter.key}|{window}|{action}" + (f"|{line.limit}" if line.changed else "")
        if self._names.get(name, 0.0) > now:
            return
        until = line.resets_at(now) or now + 400 * GRACE_S
        found.append(News(name, until, line, state, crossing(line, action, state, now)))

    def claim(self, news: News) -> bool:
        """Whether this process is the one that tells. May raise a ledger's failure; then it is tried again."""
        mine = self._ledger.claim(news.name, news.until)
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        self._names[news.name] = news.until
        return mine
