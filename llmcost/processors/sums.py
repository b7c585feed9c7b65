"""Sums of calls in memory, on their way into the feed. A call costs its place in a queue, an addition, and no I/O."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from llmcost.calls import COUNTED_ELSEWHERE, SLOT_S, Call, nano_dollars
from llmcost.control.budget import SHORT_SCOPES, Budget
from llmcost.store.forks import renew_in_child

_SLOT_NS: Final = SLOT_S * 10**9
_RETRY_NS: Final = 60 * 10**9
"""A call that begins so soon after a failed one of the same section, model and user repeats it."""
_MOST_FAILED: Final = 1024
_AT_ONCE: Final = 32
"""Calls added up at once: that costs a third less than one by one, and never holds a call up for long."""
_NO_MODEL: Final = "unknown"

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
        self._made: deque[Call] = deque()
        self._sums: dict[Kind, list[int]] = {}
        self._failed: dict[tuple[str, str, str | None], int] = {}

    def add(self, call: Call) -> None:
        """Take in a finished call, in the slot in which it ended."""
        self._made.append(call)
        if len(self._made) >= _AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        """Add up the calls that wait, in one loop: all calls of a program come through here."""
        with self._lock:
            made, all_sums, begin, end, slot = self._made, self._sums, 0, 0, 0
            while made:
                try:
                    call = made.popleft()
                except IndexError:
                    return  # a signal handler came in between, and took what was left
                cost, about, usage, error = call.cost, call.attribution, call.usage, call.error_type
                if cost.status == COUNTED_ELSEWHERE.status:
                    continue
                ended = call.started_ns + int(call.duration * 1e9)
                if not begin <= ended < end:
                    slot = ended // _SLOT_NS
                    begin, end = slot * _SLOT_NS, (slot + 1) * _SLOT_NS
                model = call.request_model or call.response_model or _NO_MODEL
                further = tuple([value_of(call, scope) for scope in self._further]) if self._further else ()
                kind = (slot, about.label, model, about.user_id, further)
                sums = all_sums.get(kind)
                if sums is None:
                    sums = all_sums[kind] = [0, 0, 0, 0, 0, 0]
                sums[0] += 1
                if cost.total is not None:
                    sums[1] += 1
                    sums[2] += nano_dollars(cost.total)
                sums[3] += (usage.input_tokens or 0) + (usage.output_tokens or 0)
                if error is not None or self._failed or call.attempts > 1:
                    sums[4] += error is not None
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
            self._add_up()
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
