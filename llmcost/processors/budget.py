"""Budgets for calls that the flow never saw: they can't be refused any more, but what they cost is booked."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from llmcost.calls import Call
from llmcost.exchange.admission import Gate


class BudgetSpanProcessor(SpanProcessor):
    """Settles calls that came by the second door, and no others: the flow settles its own, and so does ``log_call``.

    Args:
        gate: the budgets.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def observe(self, call: Call, context: Context | None = None) -> None:  # noqa: ARG002 - its span has ended
        """Book a finished call that was not put before the budgets. Its warnings go to log and callback."""
        if call.budget_action != "block":
            self._gate.book(call)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing: calls come by :meth:`observe`."""
