"""Budgets, forecast and watch for anomalies of the made-up day: llmcost's own engines, on the day's clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from factories import a_call
from opentelemetry.sdk.metrics import MeterProvider

from llmcost.calls import NANO, Call, nano_dollars
from llmcost.control import Budget, Callbacks, Controller, Limits, Standing, Verdict, ledger_for
from llmcost.control.admission import Admission, Quote
from llmcost.control.feed import FeedRow
from llmcost.control.feed.memory import MemoryFeed
from llmcost.exchange.admission import Gate
from llmcost.insight import WatchSettings
from llmcost.processors.anomaly import AnomalySpanProcessor
from llmcost.processors.budget_metrics import BudgetMetrics
from llmcost.processors.forecast import ForecastSpanProcessor
from llmcost.processors.foresight import Foresight, feed_rows
from llmcost.processors.sums import CallSums, Row, further_scopes
from llmcost.runtime import default_prices

DAY_S: Final = 86_400
DAYS_BEFORE: Final = 28
"""Days of history that the forecast learns from: the day's usual calls, over and over."""


def budgets(usual_day: float) -> tuple[Budget, ...]:
    """A month's budget that may well be passed, one that is used up, and one that only warns.

    Args:
        usual_day: USD that a usual day costs.
    """
    return (
        Budget(name="the month", monthly=round(30.5 * usual_day), mode="warn"),
        Budget(name="research", scope="label", overrides={"research": Limits(total=26.0)}),
        Budget(name="support", scope="tenant", overrides={"support-bot": Limits(total=19.0)}, mode="warn"),
    )


class World:
    """What all services share. The time is moved by the replay.

    Args:
        at: Unix time in seconds at which the day begins.
        usual: sums of the calls of a day without incidents, from midnight on the same clock as ``at``.
        provider: exports the gauges and counters.
    """

    def __init__(self, at: float, usual: Iterable[Row], provider: MeterProvider) -> None:
        self.at = at
        self._usual = sorted(feed_rows(list(usual)))
        usual_day = sum(row.sums.nano for row in self._usual) / NANO
        given = budgets(usual_day)
        ledger = ledger_for("memory://", given, clock=lambda: self.at)
        self.gate = Gate(Controller(given, ledger, Callbacks(), series=()), default_prices())
        feed = MemoryFeed(lambda: self.at)
        self.sums = CallSums(further_scopes(given))
        self.foresight = Foresight(feed, WatchSettings(), history=self._before)
        self.anomaly = AnomalySpanProcessor(self.foresight, meter_provider=provider)
        self.forecast = ForecastSpanProcessor(feed, provider, self._standings)
        self.shown = BudgetMetrics(self.gate, provider)
        month = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        spent = usual_day * (at - month.timestamp()) / DAY_S
        self.gate.book(a_call(label="the days before", cost=spent, started_ns=int(at * NANO)))

    def ask(self, call: Call) -> Verdict:
        """What the budgets say to a call before it is sent, counted as the flow counts it."""
        values = self.gate._values_of(call.attribution, call.request_model or "", call.provider, call.operation)
        quote = Quote("priced", nano_dollars(call.cost.total or 0.0)) if call.cost.total else Quote("unpriced")
        admission = Admission(call.id, call.started_ns / 1e9, call.request_model or "", values, quote)
        verdict = self.gate.ask(admission)
        for decision in verdict.decisions:
            self.gate.decisions[decision.budget, decision.action, decision.would] += 1
        return verdict

    def see(self, call: Call, verdict: Verdict) -> None:
        """A call has ended."""
        self.sums.add(call)
        total = call.cost.total
        self.gate.controller.settle(verdict, 0 if call.error_type else None if total is None else nano_dollars(total))

    def minute(self, at: float) -> None:
        """Four rounds of the timer at once."""
        self.at = at
        rows = self.sums.drain()
        self.forecast.mark(rows)
        self.foresight.send(rows)
        self.foresight.advance()
        self.anomaly.publish()
        for _ in range(4):
            self.forecast.publish()

    def _standings(self, values: Iterable[Mapping[str, str]]) -> Iterable[Standing]:
        return self.gate.controller.status.standings(more=values)

    def _before(self, since: float, until: float) -> Iterable[FeedRow]:
        for days in range(DAYS_BEFORE, 0, -1):
            for slot, who, sums in self._usual:
                moved = slot - days * DAY_S
                if since <= moved < until:
                    yield FeedRow(moved, who, sums)
