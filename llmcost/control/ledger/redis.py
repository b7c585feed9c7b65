"""The ledger of many machines: Redis or Valkey, one script, one round trip an operation."""

from __future__ import annotations

import hashlib
import json
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from llmcost.control.ledger.contract import (
    BUCKET_S,
    DROP_AFTER_S,
    HOLD_S,
    REMEMBER_S,
    ROLL_UP_AFTER_S,
    Bucket,
    Counter,
    Entry,
    Expired,
    LedgerFailure,
    Option,
    Reason,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.roaming import connect
from llmcost.control.ledger.series import bucket_of, grouped

TIMEOUT_S: Final = 0.050
"""How long a call waits for the server, at most."""

_SCRIPT: Final = resources.files("llmcost.control.ledger").joinpath("ledger.lua")
_CONSTANTS: Final[Mapping[str, float]] = {
    "remember": REMEMBER_S,
    "roll_up_after": ROLL_UP_AFTER_S,
    "drop_after": DROP_AFTER_S,
}
_PORTION: Final = 500
"""Keys that one run of the script begins anew."""

_CLOSED_MEANWHILE: Final = (OSError, ValueError, AttributeError)
"""What redis-py raises, apart from errors of its own, where another thread closes the connection that is waited on: the
end of a program does. The answer is lost then, as it is with any other failure."""


class RedisLedger:
    """See :class:`~llmcost.control.ledger.contract.Ledger`. The clock is the server's.

    Args:
        url: ``redis://``, ``rediss://``, ``valkey://`` or ``unix://``, as redis-py reads it.
        clock: a clock in place of the server's, for tests.
        hold_s: how long a hold lasts without renewal.
        timeout_s: how long a call waits for the server.
        namespace: keeps ledgers in one server apart.

    Raises:
        MissingExtra: redis-py is not installed.
        ConfigError: the URL cannot be read.
    """

    network = True
    waiting = 0

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] | None = None,
        *,
        hold_s: float = HOLD_S,
        timeout_s: float = TIMEOUT_S,
        namespace: str = "default",
    ) -> None:
        self._client, self._errors = connect(url, timeout_s)
        self._clock = clock
        self._hold_s = hold_s
        self._timeout_s = timeout_s
        self._prefix = f"llmcost:{{{namespace}}}:"
        self._text = _SCRIPT.read_text(encoding="utf-8")
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._epoch = ""
        self._ahead_s = 0.0

    def now(self) -> float:
        """This machine's clock, put right by what the server said last."""
        return self._clock() if self._clock is not None else time.time() + self._ahead_s

    def reserve(self, request: Request) -> Reservation | Refusal:
        """See the contract."""
        options = [_rows(option) for option in request.options]
        asked = {"id": request.call_id, "keep": request.keep, "options": options}
        kind, *rest = self._run_past_expiry("reserve", asked, within_s=self._timeout_s)
        if kind == "refused":
            return Refusal(request.call_id, tuple(rest[0]), tuple(_states(states) for states in rest[1]))
        option = request.options[rest[0]]
        return Reservation(request.call_id, rest[0], option, _states(rest[1]), keep=request.keep)

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        """See the contract."""
        kind, *rest = self._run(
            "settle", **_of(reservation), actual=str(actual), more=calls - 1, entries=_entries(entries)
        )
        return None if kind == "again" else _states(rest[0])

    def release(self, reservation: Reservation) -> None:
        """See the contract."""
        self._run("release", id=reservation.call_id)

    def renew(self, reservation: Reservation) -> None:
        """See the contract."""
        self._run("renew", **_of(reservation), keep=reservation.keep)

    def states(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See the contract."""
        rows = _rows(Option(tuple(counters), (0,) * len(counters)))
        return _states(self._run_past_expiry("states", {"counters": rows})[1])

    def spend(self, series: str, start: float, end: float, step: int = BUCKET_S) -> list[Bucket]:
        """See the contract."""
        rows = self._run("spend", series=series, start=start, stop=end)[1]
        return grouped(((int(slot), int(nano), int(calls)) for slot, nano, calls in rows), start, end, step)

    def claim(self, name: str, until: float) -> bool:
        """See the contract."""
        return bool(self._run("claim", name=name, till=until)[0] == "yes")

    def reset(self, prefix: str) -> int:
        """See the contract. Looks through all counters of the namespace: for people, not for calls."""
        keys = self.keys(prefix)
        portions = [keys[place : place + _PORTION] for place in range(0, len(keys), _PORTION)]
        return sum(int(self._run_past_expiry("reset", {"keys": portion})[1]) for portion in portions)

    def limits(self) -> Mapping[str, int]:
        """See the contract."""
        return {key.decode(): int(amount) for key, amount in self._run("limits")[1]}

    def set_limit(self, key: str, amount: int | None) -> None:
        """See the contract."""
        self._run("set_limit", key=key, amount="" if amount is None else str(amount))

    def keys(self, prefix: str) -> list[str]:
        """See the contract. Looks through all counters of the namespace."""
        start = f"{self._prefix}c:"
        try:
            self._client.exists(f"{self._prefix}meta")  # in a cluster, finds the node: a scan would look at any
            found = [key.decode() for key in self._client.scan_iter(match=f"{start}*", count=1000)]
        except self._errors.RedisError as exc:
            raise self._failure(exc) from exc
        # A scan may show a key twice.
        return sorted({key[len(start) :] for key in found if key.startswith(start + prefix)})

    def restore(self, name: str, sums: Sequence[tuple[Counter, State]], entries: Sequence[Entry]) -> bool:
        """See the contract."""
        counters = tuple(counter for counter, _ in sums)
        numbers = [[str(spent), str(held), calls] for _, (spent, held, calls) in sums]
        named = _rows(Option(counters, (0,) * len(counters)))
        joined = [[*row, *added] for row, added in zip(named, numbers, strict=True)]
        # Whatever life this is: others wait for what is given back here, so they are let in only afterwards.
        answer = self._run("restore", name=name, rows=joined, entries=_entries(entries), epoch="")
        return bool(answer[0] == "restored")

    def expired(self) -> Expired:
        """See the contract."""
        _, holds, nano = self._run_past_expiry("expired", {})
        return Expired(int(holds), int(nano))

    def tidy(self) -> None:
        """Expires holds; everything else goes by the server's own expiry."""
        self._run_past_expiry("expired", {})

    def close(self) -> None:
        """See the contract."""
        self._client.close()

    def _run(self, operation: str, **values: Any) -> list[Any]:
        _, *answer = self._asked(operation, values)
        return answer

    def _run_past_expiry(self, operation: str, values: Mapping[str, Any], *, within_s: float = math.inf) -> list[Any]:
        """The script expires a bite of holds at a time: asked again while others may still count in the answer."""
        give_up = time.monotonic() + within_s
        while True:
            more, *answer = self._asked(operation, values)
            if not more or answer[0] == "granted" or time.monotonic() >= give_up:
                return answer

    def _asked(self, operation: str, values: Mapping[str, Any]) -> list[Any]:
        values = {"epoch": self._epoch, "candidate": uuid.uuid4().hex, "hold": self._hold_s, **_CONSTANTS, **values}
        if self._clock is not None:
            values["now"] = self._clock()
        arguments = (1, self._prefix, operation, json.dumps(values, separators=(",", ":")))
        try:
            try:
                answer = self._client.evalsha(self._sha, *arguments)
            except self._errors.NoScriptError:
                answer = self._client.eval(self._text, *arguments)
        except (self._errors.RedisError, *_CLOSED_MEANWHILE) as exc:
            raise self._failure(exc) from exc
        life, now, more, kind, *rest = answer
        if kind == b"emptied":
            raise LedgerFailure("emptied", "the server has forgotten what it knew")
        self._epoch = life.decode()
        self._ahead_s = float(now) - time.time()
        return [more, kind.decode(), *rest]

    def _failure(self, exc: Exception) -> LedgerFailure:
        table: tuple[tuple[type[Exception], Reason], ...] = (
            (self._errors.OutOfMemoryError, "full"),
            (self._errors.ReadOnlyError, "read-only"),
            (self._errors.BusyLoadingError, "busy"),
            (self._errors.TryAgainError, "busy"),
            (self._errors.AskError, "busy"),
            (self._errors.ClusterDownError, "unreachable"),
            (self._errors.ResponseError, "damaged"),
        )
        for kind, reason in table:
            if isinstance(exc, kind):
                return LedgerFailure(reason, str(exc))
        return LedgerFailure("unreachable", type(exc).__name__)


def _rows(option: Option) -> list[list[Any]]:
    return [
        [
            counter.key,
            counter.slot,
            counter.first,
            counter.until,
            _text(counter.limit),
            _text(counter.below),
            _text(counter.max_calls),
            str(amount),
        ]
        for counter, amount in zip(option.counters, option.amounts, strict=True)
    ]


def _text(limit: int | None) -> str:
    return "" if limit is None else str(limit)


def _entries(entries: Sequence[Entry]) -> list[list[Any]]:
    return [[entry.series, bucket_of(entry.at), str(entry.nano), entry.calls] for entry in entries]


def _of(reservation: Reservation) -> dict[str, Any]:
    return {
        "id": reservation.call_id,
        "choice": reservation.choice,
        "verified": reservation.verified,
        "counters": _rows(reservation.option),
    }


def _states(rows: Sequence[Sequence[bytes]]) -> tuple[State, ...]:
    return tuple((int(spent), int(held), int(calls)) for spent, held, calls in rows)
