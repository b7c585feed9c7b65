"""The feed of many machines, in Redis or Valkey: transactions that watch the cursor, in place of a script."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

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
from llmcost.control.ledger.contract import LedgerFailure
from llmcost.control.ledger.roaming import connect

TIMEOUT_S: Final = 1.0
"""Nobody waits for a feed but its own thread, and the end of a program."""

_TRIES: Final = 20
_SEPARATOR: Final = "\x1f"
T = TypeVar("T")


class RedisFeed:
    """See :class:`~llmcost.control.feed.contract.Feed`. The clock is the server's.

    Keys, all in one slot of a cluster: ``cursor`` and ``dropped``; ``slots``, a zset of slots with rows;
    ``rows:<slot>``, a hash of kind, separator and name of the sum; ``states``, a hash by key; ``touched``, a zset of
    keys by their last slot; ``awake``, a set; ``reports``, a hash by name; ``times``, a zset of names by time;
    ``untold``, a zset likewise; ``added:<name>`` and ``claim:<cursor>``, which expire.

    Args:
        url: as for the ledger.
        clock: a clock in place of the server's, for tests.
        timeout_s: how long to wait for the server.
        namespace: keeps feeds in one server apart.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        namespace: str = "default",
    ) -> None:
        self._client, self._errors = connect(url, timeout_s)
        self._clock = clock
        self._prefix = f"llmcost:{{{namespace}}}:feed:"

    def now(self) -> float:
        """The server's clock; this machine's where the server can't be asked."""
        if self._clock is not None:
            return self._clock()
        try:
            seconds, micros = self._client.time()
        except self._errors.RedisError:
            return time.time()
        return float(seconds) + float(micros) / 1e6

    def add(self, rows: Iterable[FeedRow], once: str) -> None:
        """See the contract."""
        rows = list(rows)
        added = self._key(f"added:{once}")

        def put(pipe: Any) -> None:
            pipe.watch(added)
            if pipe.exists(added):
                return
            cursor = _number(pipe.get(self._key("cursor"))) or 0
            pipe.multi()
            pipe.set(added, 1, ex=NAMES_KEPT_S)
            for slot, who, sums in rows:
                place = max(slot, cursor)
                pipe.zadd(self._key("slots"), {str(place): place})
                for name, value in zip(Sums._fields, sums, strict=True):
                    if value:
                        pipe.hincrby(self._key(f"rows:{place}"), who + _SEPARATOR + name, value)

        if rows:
            self._transaction(put)

    def due(self, grace_s: float, most_s: float) -> Step | None:
        """See the contract."""
        now = self.now()
        return self._asked(lambda: self._due(now, grace_s, most_s))

    def _due(self, now: float, grace_s: float, most_s: float) -> Step | None:
        cursor = _number(self._client.get(self._key("cursor")))
        slots = [int(slot) for slot in self._client.zrange(self._key("slots"), 0, -1)]
        first = min(slots, default=None)
        until = until_of(now, grace_s, most_s, first)
        awake = self._client.scard(self._key("awake"))
        if until <= (cursor or 0) or (not awake and (first is None or first >= until)):
            return None
        return Step(cursor, until, self._before(self._client, [slot for slot in slots if slot < until]))

    def _before(self, client: Any, slots: Iterable[int]) -> list[FeedRow]:
        found: dict[tuple[int, str], dict[str, int]] = {}
        for slot in slots:
            for field, value in client.hgetall(self._key(f"rows:{slot}")).items():
                who, _, name = field.decode().rpartition(_SEPARATOR)
                found.setdefault((slot, who), {})[name] = int(value)
        return [FeedRow(slot, who, Sums(**sums)) for (slot, who), sums in sorted(found.items())]

    def awake(self) -> list[str]:
        """See the contract."""
        return sorted(key.decode() for key in self._asked(lambda: self._client.smembers(self._key("awake"))))

    def states(self, keys: Iterable[str]) -> dict[str, str]:
        """See the contract."""
        wanted = list(keys)
        if not wanted:
            return {}
        found = self._asked(lambda: self._client.hmget(self._key("states"), wanted))
        return {key: state.decode() for key, state in zip(wanted, found, strict=True) if state is not None}

    def keys(self, kind: str, most: int) -> list[str]:
        """See the contract."""
        found = self._asked(lambda: self._client.zrevrange(self._key("touched"), 0, -1))
        return [key for key in (raw.decode() for raw in found) if key.partition("=")[0] == kind][:most]

    def claim(self, step: Step, for_s: float) -> bool:
        """See the contract."""
        name, millis = self._key(f"claim:{step.cursor}"), int(for_s * 1000)
        return bool(self._asked(lambda: self._client.set(name, 1, px=millis, nx=True)))

    def commit(self, step: Step, kept: Sequence[Kept], found: Sequence[Found], most_keys: int = MOST_KEYS) -> bool:
        """See the contract."""
        oldest = self.now() - REPORTS_KEPT_S

        def put(pipe: Any) -> bool:
            slots = [int(slot) for slot in pipe.zrangebyscore(self._key("slots"), "-inf", f"({step.until}")]
            pipe.watch(*(self._key(f"rows:{slot}") for slot in slots), self._key("slots"))
            moved = _number(pipe.get(self._key("cursor"))) != step.cursor
            if moved or list(step.rows) != self._before(pipe, slots):
                return False
            known = {name.decode() for name in pipe.hkeys(self._key("reports"))} if found else set()
            old = pipe.zrangebyscore(self._key("times"), "-inf", f"({oldest}")
            pipe.multi()
            pipe.set(self._key("cursor"), step.until)
            pipe.zremrangebyscore(self._key("slots"), "-inf", f"({step.until}")
            for slot in slots:
                pipe.delete(self._key(f"rows:{slot}"))
            self._keep(pipe, step.until, kept)
            self._report(pipe, [report for report in found if report.name not in known], old)
            return True

        done = self._transaction(put)
        if done:
            self._asked(lambda: self._drop(most_keys))
        return done

    def _keep(self, pipe: Any, touched: int, kept: Sequence[Kept]) -> None:
        for key, state, awake in kept:
            pipe.hset(self._key("states"), key, state)
            pipe.zadd(self._key("touched"), {key: touched})
            (pipe.sadd if awake else pipe.srem)(self._key("awake"), key)

    def _report(self, pipe: Any, news: Sequence[Found], old: Sequence[bytes]) -> None:
        for name, at, report in news:
            pipe.hset(self._key("reports"), name, report)
            pipe.zadd(self._key("times"), {name: at})
            pipe.zadd(self._key("untold"), {name: at})
        if old:
            pipe.hdel(self._key("reports"), *old)
            pipe.zrem(self._key("times"), *old)
            pipe.zrem(self._key("untold"), *old)

    def _drop(self, most_keys: int) -> None:
        over = self._client.zcard(self._key("touched")) - most_keys
        if over <= 0:
            return
        oldest = [key for key, _ in self._client.zpopmin(self._key("touched"), over)]
        self._client.hdel(self._key("states"), *oldest)
        self._client.srem(self._key("awake"), *oldest)
        self._client.incrby(self._key("dropped"), len(oldest))

    def take(self) -> list[str]:
        """See the contract."""
        taken = []
        while popped := self._asked(lambda: self._client.zpopmin(self._key("untold"))):
            name = popped[0][0]
            report = self._asked(functools.partial(self._client.hget, self._key("reports"), name))
            if report is not None:
                taken.append(report.decode())
        return taken

    def reports(self, since: float) -> list[str]:
        """See the contract."""
        names = self._asked(lambda: self._client.zrangebyscore(self._key("times"), since, "+inf"))
        found = self._asked(lambda: self._client.hmget(self._key("reports"), names)) if names else []
        return [report.decode() for report in found if report is not None]

    def dropped(self) -> int:
        """See the contract."""
        return _number(self._asked(lambda: self._client.get(self._key("dropped")))) or 0

    def close(self) -> None:
        """See the contract."""
        self._client.close()

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _transaction(self, put: Callable[[Any], T]) -> T:
        """Run ``put`` until nobody has changed meanwhile what it watches, the cursor before all."""
        for _ in range(_TRIES):
            pipe = self._client.pipeline()
            try:
                pipe.watch(self._key("cursor"))
                result = put(pipe)
                pipe.execute()
            except self._errors.WatchError:
                continue
            except self._errors.MovedError as moved:
                self._client.follow(moved)
                continue
            except self._errors.RedisError as exc:
                raise LedgerFailure("unreachable", type(exc).__name__) from exc
            else:
                return result
            finally:
                pipe.reset()
        raise LedgerFailure("busy", "the cursor moves too fast")

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except self._errors.RedisError as exc:
            raise LedgerFailure("unreachable", type(exc).__name__) from exc


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
