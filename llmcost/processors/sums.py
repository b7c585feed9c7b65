"""Sums of calls in memory, on their way into the feed. A call costs an addition here, and no I/O."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from llmcost.calls import SLOT_S, Call, nano_dollars
from llmcost.control.budget import SHORT_SCOPES, Budget
from llmcost.store.forks import renew_in_child

_SLOT_NS: Final = SLOT_S * 10**9
_RETRY_NS: Final = 60 * 10**9
"""A call that begins so soon after a failed one of the same section, model and user repeats it."""
_MOST_FAILED: Final = 1024
_NO_MODEL: Final = "unknown"
_ELSEWHERE: Final = "counted_elsewhere"

_ALWAYS: Final = frozenset({"global", "user", "label", "model"})
"""Scopes whose series are kept whether there is a budget or not."""

Kind = tuple[int, str, str, str | None, tuple[str | None, ...]]
Row = tuple[int, dict[str, str], list[int]]
"""A slot (Unix seconds), the values of the scopes, and calls, priced ones, nano-dollars, tokens, errors, retries."""


class CallSums:
    """Adds calls up by slot, label, model, user and what else is asked for.

    Args:
        further: further scopes that budgets have, by the names that :func:`value_of` knows.
    """

    def __init__(self, further: Sequence[str] = ()) -> None:
        self._further = tuple(further)
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """What was summed before a fork is the parent's. Re-entrant: a signal handler may make a call."""
        self._lock = threading.RLock()
        self._sums: dict[Kind, list[int]] = {}
        self._failed: dict[tuple[str, str, str | None], int] = {}

    def add(self, call: Call) -> None:
        """Add a finished call, in the slot in which it ended."""
        cost, about = call.cost, call.attribution
        if cost.status == _ELSEWHERE:
            return
        ended = call.started_ns + int(call.duration * 1e9)
        model = call.request_model or call.response_model or _NO_MODEL
        further = tuple([value_of(call, scope) for scope in self._further]) if self._further else ()
        kind = (ended // _SLOT_NS, about.label, model, about.user_id, further)
        with self._lock:
            sums = self._sums.get(kind)
            if sums is None:
                sums = self._sums[kind] = [0, 0, 0, 0, 0, 0]
            sums[0] += 1
            if cost.total is not None:
                sums[1] += 1
                sums[2] += nano_dollars(cost.total)
            usage = call.usage
            sums[3] += (usage.input_tokens or 0) + (usage.output_tokens or 0)
            if call.error_type is not None:
                sums[4] += 1
            if self._failed or call.error_type is not None or call.attempts > 1:
                sums[5] += self._retried(call, kind[1:4], ended)

    def _retried(self, call: Call, what: tuple[str, str, str | None], ended: int) -> int:
        """1 where the call repeats a failed one. Each failure is repeated once."""
        failed = self._failed.pop(what, None)
        if call.error_type is not None and len(self._failed) < _MOST_FAILED:
            self._failed[what] = ended
        return int(call.attempts > 1 or (failed is not None and 0 <= call.started_ns - failed < _RETRY_NS))

    def drain(self) -> list[Row]:
        """Take what was added since the last time."""
        with self._lock:
            taken, self._sums = self._sums, {}
        return [(kind[0] * SLOT_S, self._values(kind), sums) for kind, sums in taken.items()]

    def _values(self, kind: Kind) -> dict[str, str]:
        _, label, model, user, further = kind
        values = {"label": label, "model": model, "user": user, **dict(zip(self._further, further, strict=True))}
        return {scope: value for scope, value in values.items() if value is not None}


_VALUES: Final[Mapping[str, Callable[[Call], str | None]]] = {
    "call_type": lambda call: call.call_type,
    "provider": lambda call: call.provider,
    "session": lambda call: call.attribution.session_id,
    "conversation": lambda call: call.attribution.conversation_id,
    "workflow": lambda call: call.attribution.workflow,
    "agent": lambda call: call.attribution.agent,
}


def further_scopes(budgets: Iterable[Budget]) -> tuple[str, ...]:
    """The scopes of budgets whose series are kept on top: tenant, agent, any context key. A run or a session is over
    before there is a history to forecast from."""
    return tuple(sorted({budget.scope for budget in budgets} - _ALWAYS - SHORT_SCOPES))


def value_of(call: Call, scope: str) -> str | None:
    """The value of a budget's scope in a call; any name that is no scope of a call is a key of its context."""
    known = _VALUES.get(scope)
    return known(call) if known is not None else call.attribution.context.get(scope)
