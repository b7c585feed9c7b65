"""The alerts, one row each. ``write_alerts`` makes Prometheus rules and Grafana's provisioning of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from grafana import uids
from grafana.names import SERVICE, label
from grafana.promql import FAILED, SENT, Series, by, equal, like, over, part_of, scraped, unfiltered
from llmcost import semconv


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Its query has an answer, above 0, only where the alert fires.

    Attributes:
        name: as people see it in a message.
        expr: PromQL.
        lasting: how long the query must have an answer before anybody is told.
        severity: ``critical`` means now, ``warning`` today, ``info`` this week.
        summary: one line, with the labels of the answer.
        runbook: what to do, in order.
        board: uid of the dashboard that shows more.
    """

    name: str
    expr: str
    lasting: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    runbook: str
    board: str

    @property
    def uid(self) -> str:
        """Stable name for Grafana."""
        return "llmcost-" + self.name.removeprefix("LLMCost").lower()


_PERCENT: Final = "{{ $value | humanizePercentage }}"
_NAME: Final = label(semconv.BUDGET_NAME)
_WHICH: Final = semconv.BUDGET_USED_RATIO.attributes
_SCOPE: Final = (semconv.SCOPE_KIND,)
_MODEL: Final = (semconv.PROVIDER_NAME, semconv.REQUEST_MODEL)
_PROVIDER: Final = (semconv.PROVIDER_NAME,)


def _grown(series: Series, window: str, attributes: Sequence[str] = (), shift: str = "") -> str:
    return f"sum {by(attributes)}({over('increase', series, window, shift)})"


_USED: Final = f"max {by(_WHICH)}({unfiltered(semconv.BUDGET_USED_RATIO)})"
_COST: Final = unfiltered(semconv.COST)
_CALLS: Final = _grown(unfiltered(semconv.CALLS), "1h", [SERVICE])
_GUESSED: Final = _grown(
    unfiltered(semconv.CALLS, where={semconv.COST_STATUS: like("estimated|partial")}), "1h", [SERVICE]
)
_ENDED: Final = part_of(semconv.OPERATION_DURATION, "count", SENT, unfiltered)
_FAILED: Final = part_of(semconv.OPERATION_DURATION, "count", FAILED, unfiltered)
_BLOCKED: Final = unfiltered(semconv.CALLS, where={semconv.BUDGET_ACTION: equal("block")})
_OPENED: Final = _grown(unfiltered(semconv.ANOMALIES, where={semconv.ANOMALY_EVENT: equal("opened")}), "1d", _SCOPE)
_CLOSED: Final = _grown(unfiltered(semconv.ANOMALIES, where={semconv.ANOMALY_EVENT: equal("closed")}), "1d", _SCOPE)
_RECEIVED: Final = scraped(semconv.COLLECTOR_RECEIVED)

ALERTS: Final = (
    Alert(
        "LLMCostBudgetNearlyUsed",
        f"{_USED} >= 0.8 < 1",
        "1m",
        "warning",
        f"Budget {{{{ $labels.{_NAME} }}}} is {_PERCENT} used",
        "Look at Budgets: how long does it last? See which section grew, try a smaller model there (fallbacks), "
        "or raise the limit before calls are refused.",
        uids.BUDGETS,
    ),
    Alert(
        "LLMCostBudgetUsedUp",
        f"{_USED} >= 1",
        "0m",
        "critical",
        f"Budget {{{{ $labels.{_NAME} }}}} is used up ({_PERCENT})",
        "Calls under it are refused where its mode is block. If they must pass, raise the limit with llmcost "
        "budget set; else tell the owners of the section. The window's end resets it.",
        uids.BUDGETS,
    ),
    Alert(
        "LLMCostBudgetWillBePassed",
        f"max {by([semconv.BUDGET_NAME])}({unfiltered(semconv.FORECAST_EXCEED)}) > 0.8",
        "30m",
        "warning",
        f"Budget {{{{ $labels.{_NAME} }}}} will be passed with a chance of {_PERCENT}",
        "Look at Forecast and anomalies: is there an incident? If the rise is meant, raise the limit; else lower "
        "the spend of the section at the top of Cost overview.",
        uids.INSIGHT,
    ),
    Alert(
        "LLMCostSpendAboveLastWeek",
        f"{_grown(_COST, '1h', [SERVICE])} > 2 * {_grown(_COST, '1h', [SERVICE], ' offset 1w')} > 0.5",
        "15m",
        "warning",
        f"{{{{ $labels.{label(SERVICE)} }}}} spends more than twice what it did in the same hour of last week",
        "Compare Spend an hour, by section with last week's. More calls: traffic or a loop. Dearer calls: another "
        "model or longer prompts.",
        uids.OVERVIEW,
    ),
    Alert(
        "LLMCostIncidentOpen",
        f"{_OPENED} - ({_CLOSED} or 0 * {_OPENED}) > 0.5",
        "0m",
        "warning",
        f"Spend is out of the ordinary ({{{{ $labels.{label(semconv.SCOPE_KIND)} }}}})",
        "llmcost anomalies says since when, whose spend, what changed and how much money. The cause tells what to "
        "do: see Forecast and anomalies.",
        uids.INSIGHT,
    ),
    Alert(
        "LLMCostUnpricedModel",
        f"{_grown(unfiltered(semconv.CALLS_UNPRICED), '1h', _MODEL)} > 0",
        "0m",
        "warning",
        f"No price is known for {{{{ $labels.{label(semconv.REQUEST_MODEL)} }}}}: its calls are missing from the money",
        "Run llmcost prices update. If the model is still unknown, name its price in "
        '[tool.llmcost.prices."the-model"].',
        uids.HEALTH,
    ),
    Alert(
        "LLMCostEstimatedShareHigh",
        f"{_GUESSED} / ({_CALLS} >= 20) > 0.2",
        "30m",
        "info",
        f"{_PERCENT} of the calls of {{{{ $labels.{label(SERVICE)} }}}} have an estimated cost",
        "Streams do not state their usage, or are cut. Set LLMCOST_STREAM_USAGE=inject; look at How calls end in "
        "Traces and execution.",
        uids.HEALTH,
    ),
    Alert(
        "LLMCostErrorRateHigh",
        f"{_grown(_FAILED, '15m', _PROVIDER)} / ({_grown(_ENDED, '15m', _PROVIDER)} >= 10) > 0.1",
        "5m",
        "warning",
        f"{_PERCENT} of the calls to {{{{ $labels.{label(semconv.PROVIDER_NAME)} }}}} fail",
        "Failures by type in Performance. Rate limits: fewer calls at once. Overload: a fallback at another provider. "
        "A failing call is often sent again by the SDK.",
        uids.PERFORMANCE,
    ),
    Alert(
        "LLMCostCallsRefused",
        f"{_grown(_BLOCKED, '15m', [semconv.SEMANTIC_LABEL])} > 0",
        "0m",
        "warning",
        f"Calls of {{{{ $labels.{label(semconv.SEMANTIC_LABEL)} }}}} are refused by a budget",
        "Budgets says which. Is it meant? Then tell the owners. Else raise the limit with llmcost budget set.",
        uids.BUDGETS,
    ),
    Alert(
        "LLMCostInternalErrors",
        f"{_grown(unfiltered(semconv.INTERNAL_ERRORS), '15m', semconv.INTERNAL_ERRORS.attributes)} > 0",
        "0m",
        "info",
        f"llmcost has faults of its own in {{{{ $labels.{label(semconv.INTERNAL_ERRORS.attributes[0])} }}}}",
        "The program is unaffected, but calls may be missing. Its log has one traceback a place: file it as a bug.",
        uids.HEALTH,
    ),
    Alert(
        "LLMCostCollectorNotReceiving",
        f"(sum(rate({_RECEIVED}[5m])) == bool 0) > 0 or absent({_RECEIVED})",
        "10m",
        "critical",
        "The collector receives no metrics",
        "Is the collector running, and is it scraped? Then llmcost doctor on a program's machine: is the endpoint "
        "right? Programs go on unaffected; what they could not send is in their local store.",
        uids.HEALTH,
    ),
)
