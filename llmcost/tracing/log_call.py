"""``llmcost.log_call``: a call that no hook can see, told by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import trace
from opentelemetry.context import Context, get_current

from llmcost.calls import NO_USAGE, NOT_BILLED, UNATTRIBUTED, UNPRICED, Attribution, Call, Cost, Outcome, Usage
from llmcost.errors import BudgetExceeded
from llmcost.exchange.by_hand import OPEN, ToldByHand
from llmcost.exchange.guard import guard
from llmcost.lean import dataclass
from llmcost.sections.scope import KEY, Placed, current

if TYPE_CHECKING:
    from llmcost.control import Verdict
    from llmcost.exchange.admission import Gate
    from llmcost.exchange.asking import Asking
    from llmcost.exchange.held import Held

_OPERATIONS: Final = {"embedding": "embeddings"}
"""The operation that a call type tells of; any other is a ``chat``."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """What a logged call needs from the rest of llmcost.

    Attributes:
        observe: is given the finished call.
        attribute: from a stack frame to label, call site and context.
        price: from model, usage and provider to a cost.
        new_id: makes the id of a call that started at a Unix time in nanoseconds.
        now_ns: Unix time in nanoseconds.
        clock: seconds that only grow.
        run_id: id of this run of the program.
        gate: puts calls before the budgets; None where there are none.
    """

    observe: Callable[[Call], object]
    attribute: Callable[[FrameType], Attribution]
    price: Callable[[str, Usage, str], Cost]
    new_id: Callable[[int], str]
    now_ns: Callable[[], int]
    clock: Callable[[], float]
    run_id: str | None = None
    gate: Gate | None = None


class LoggedCall(ToldByHand):
    """A call that is being logged: a block, sync or async, in which the call is made.

    A call that a hook sees inside the block is the same call: the hook records it, with what it knows, under the
    block's call type, and nothing is counted twice. A block that ends without :meth:`complete` made a call of which
    nothing is known: it is recorded as ``unpriced``.
    """

    def __init__(
        self, recorder: Recorder, call: Call, call_type: str | None, estimated_cost: float | None = None
    ) -> None:
        self._recorder = recorder
        self._estimated_cost = estimated_cost
        self._call = call
        self._call_type = call_type
        self._completed = False
        self._placed: Placed | None = None
        self._began = 0.0
        self._held: Held | None = None
        self.adopted = False

    def complete(
        self,
        usage: Usage = NO_USAGE,
        *,
        cost: float | None = None,
        response_model: str | None = None,
        response_id: str | None = None,
        **counts: Any,
    ) -> None:
        """Say what the call used; the last word counts.

        Args:
            usage: what it used.
            cost: what it cost, in USD, where that is known; else it is priced by usage and model.
            response_model: the model that answered, where it is not the one asked for.
            response_id: the provider's id of the response.
            counts: fields of :class:`llmcost.Usage`, such as ``input_tokens`` and ``output_tokens``.

        Raises:
            TypeError: a count that ``Usage`` does not have.
        """
        used = replace(usage, **counts)
        self._completed = True
        self._call = replace(
            self._call, usage=used, response_model=response_model, response_id=response_id, cost=UNPRICED
        )
        if cost is not None:
            self._call = replace(self._call, cost=Cost("explicit", total=float(cost)))

    def __enter__(self) -> Self:
        self._begin(sys._getframe(1))
        asking = self._asking()
        if asking is not None:
            self._admitted(asking.now())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(exc)

    async def __aenter__(self) -> Self:
        self._begin(sys._getframe(1))
        asking = self._asking()
        if asking is not None:
            try:
                verdict = await asking.later()
            except BaseException:  # the task was cancelled: the block is not entered, and so never left
                self._leave()
                raise
            self._admitted(verdict)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(exc)

    def _begin(self, frame: FrameType) -> None:
        with guard("log_call"):
            scope = current(frame)
            if self._call_type is not None:
                scope = scope.derive(call_type=self._call_type)
            self._placed = Placed({KEY: scope, OPEN: self})
            started = self._recorder.now_ns()
            self._began = self._recorder.clock()
            span = trace.get_current_span().get_span_context()
            self._call = replace(
                self._call,
                id=self._recorder.new_id(started),
                started_ns=started,
                attribution=self._recorder.attribute(frame),
                trace_id=trace.format_trace_id(span.trace_id) if span.is_valid else None,
                span_id=trace.format_span_id(span.span_id) if span.is_valid else None,
            )

    def _asking(self) -> Asking | None:
        with guard("log_call"):
            gate = self._recorder.gate
            return None if gate is None else gate.logged(self._call, self._estimated_cost)
        return None

    def _admitted(self, verdict: Verdict) -> None:
        """Keep what the call holds; record a refused one, and raise what a budget says against it."""
        with guard("log_call"):
            gate = self._recorder.gate
            if gate is not None:
                self._held = gate.held(self._call.id, self._call.request_model, verdict)
                self._held.waited = self._recorder.clock() - self._began
                self._call = replace(self._call, **self._held.said()._asdict())
        if verdict.action == "block":
            from llmcost.exchange.refusal import refusal_of  # with the budgets: only where there are some

            refusal = refusal_of(verdict, self._call.id)
            exceeded = BudgetExceeded(refusal.message, refusal)
            self._end(exceeded)
            raise exceeded

    def give_way(self) -> None:
        """A hook sees this call, and holds for it."""
        held = self._held
        if held is not None:
            held.settle(self._call, sent=False)

    def _leave(self) -> None:
        if self._placed is not None:
            self._placed.remove()

    def _end(self, exc: BaseException | None) -> None:
        with guard("log_call"):
            self._leave()
            if self.adopted:
                self.give_way()
                return
            call = self._finished(exc)
            if self._held is not None:
                self._held.settle(call)
            elif self._recorder.gate is not None:
                self._recorder.gate.book(call)
            alone = Placed({OPEN: None})  # a call told in the block of another is not that one
            self._recorder.observe(call)
            alone.remove()

    def _finished(self, exc: BaseException | None) -> Call:
        call = self._call
        return replace(
            call,
            cost=self._cost(call, exc),
            duration=self._recorder.clock() - self._began,
            outcome=_outcome(exc),
            error_type=None if exc is None else type(exc).__qualname__,
            run_id=self._recorder.run_id,
        )

    def _cost(self, call: Call, exc: BaseException | None) -> Cost:
        if call.cost.status == "explicit":
            return call.cost
        if not self._completed:
            return UNPRICED if exc is None else NOT_BILLED
        return self._recorder.price(call.response_model or call.request_model or "", call.usage, call.provider)


def _outcome(exc: BaseException | None) -> Outcome:
    if exc is None:
        return "complete"
    return "failed" if isinstance(exc, Exception) else "cancelled"


class CallLog:
    """Makes logged calls; as an observer of finished calls it notices those that a hook saw inside a block."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __call__(
        self,
        *,
        provider: str,
        model: str,
        call_type: str | None = None,
        operation: str | None = None,
        estimated_cost: float | None = None,
    ) -> LoggedCall:
        """Begin to log a call; use the result in ``with`` or ``async with``.

        Args:
            provider: who is paid for it.
            model: the model, as the price map knows it.
            call_type: the kind of work, such as ``embedding``.
            operation: what was asked for, as in ``gen_ai.operation.name``; derived from the call type.
            estimated_cost: USD that the call costs at most, which budgets hold until it ends; by default what such
                calls usually cost. Without it a strict budget refuses the call, and for a model without a known price
                the budget's ``unpriced`` decides.
        """
        call = Call(
            id="",
            started_ns=0,
            duration=0.0,
            operation=operation or _OPERATIONS.get(call_type or "", "chat"),
            provider=provider,
            request_model=model,
            usage=NO_USAGE,
            cost=UNPRICED,
            attribution=UNATTRIBUTED,
        )
        return LoggedCall(self._recorder, call, call_type, estimated_cost)

    def observe(self, call: Call, context: Context | None = None) -> None:  # noqa: ARG002 - that it was is enough
        """Take note of a call that a hook saw."""
        logged = (get_current() if context is None else context).get(OPEN)
        if isinstance(logged, LoggedCall):
            logged.adopted = True
