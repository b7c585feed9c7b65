"""The users that spend most, where a program asks for them in its metrics: ``metric_users`` in the settings."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation

from llmcost import semconv
from llmcost.processors.instruments import LOCK, Countable, counters

MOST_WATCHED: Final = 20_000
"""Users whose money is added up. Beyond, the half that spent least is forgotten and begins anew."""


class TopUsers(Countable):
    """What each user spent in this process, and who is shown: at each collection those that spent most.

    A user that is shown once is never forgotten, so that no counter falls.

    Args:
        limit: users that are shown at a time.
        watched: users whose money is added up.
    """

    def __init__(self, limit: int, watched: int = MOST_WATCHED) -> None:
        self._limit = limit
        self._watched = max(watched, 2 * limit)
        self._spent: dict[str, float] = {}
        self._shown: set[str] = set()
        counters.add(self)

    def add(self, user: str, usd: float) -> None:
        """A call of a user has ended; under :data:`LOCK`."""
        if user not in self._spent and len(self._spent) >= self._watched:
            self._forget()
        self._spent[user] = self._spent.get(user, 0.0) + usd

    def begin_anew(self) -> None:
        """What was spent by now was spent in the parent."""
        with LOCK:
            self._spent.clear()

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """What the SDK asks for when it collects."""
        with LOCK:
            top = heapq.nlargest(self._limit, self._spent.items(), key=lambda each: each[1])
            self._shown.update(user for user, _ in top)
        return [Observation(usd, {semconv.USER_ID: user}) for user, usd in top if usd]

    def _forget(self) -> None:
        kept = heapq.nlargest(self._watched // 2, self._spent.items(), key=lambda each: each[1])
        kept += [(user, self._spent[user]) for user in self._shown if user in self._spent]
        self._spent = dict(kept)
