"""The watch over all keys: each user, label, model and the whole program apart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, cast

from llmcost.insight.anomalies import Anomaly, Scope, ScopeKind
from llmcost.insight.key_watch import KeyWatch, WatchSettings
from llmcost.insight.samples import Sample

MOST_KEYS: Final = 100_000


class Watch:
    """Keeps a watch for each key, and drops the key that was silent longest where there are too many.

    It has no lock: whoever feeds it from several threads brings one.

    Attributes:
        dropped: keys dropped so far. A dropped key that comes again begins anew.

    Args:
        settings: what is worth a report.
        most_keys: how many keys are kept.
    """

    def __init__(self, settings: WatchSettings | None = None, most_keys: int = MOST_KEYS) -> None:
        self.dropped = 0
        self._settings = settings or WatchSettings()
        self._most_keys = most_keys
        self._keys: OrderedDict[Scope, KeyWatch] = OrderedDict()
        self._active: set[Scope] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def update(self, ts: float, scopes: Iterable[Scope], sample: Sample) -> list[Anomaly]:
        """Book a sample in each of its scopes.

        Args:
            ts: Unix time in seconds.
            scopes: for example the whole program, the user, the label and the model of a call.
            sample: the call, or a sum of calls.

        Returns:
            What the buckets closed by then have to report.
        """
        found: list[Anomaly] = []
        for scope in scopes:
            found += self._of(scope).update(ts, sample)
            self._active.add(scope)
        return found

    def advance(self, ts: float) -> list[Anomaly]:
        """Move the clock: close the buckets of the keys that had calls since, and of those with an open incident."""
        found: list[Anomaly] = []
        for scope in sorted(self._active):
            key = self._keys[scope]
            found += key.advance(ts)
            if key.idle:
                self._active.discard(scope)
        return found

    def dump(self) -> list[list[Any]]:
        """The state of every key, the one silent longest first."""
        return [[scope.kind, scope.name, key.dump()] for scope, key in self._keys.items()]

    def load(self, rows: Iterable[list[Any]]) -> None:
        """Take up the state that :meth:`dump` wrote.

        Raises:
            ValueError: a row is not the state of a key.
        """
        for kind, name, state in rows:
            scope = Scope(cast("ScopeKind", kind), name)
            key = self._of(scope)
            key.load(state)
            if not key.idle:
                self._active.add(scope)

    def _of(self, scope: Scope) -> KeyWatch:
        key = self._keys.get(scope)
        if key is not None:
            self._keys.move_to_end(scope)
            return key
        key = self._keys[scope] = KeyWatch(scope, self._settings)
        if len(self._keys) > self._most_keys:
            oldest, _ = self._keys.popitem(last=False)
            self._active.discard(oldest)
            self.dropped += 1
        return key
