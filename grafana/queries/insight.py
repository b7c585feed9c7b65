"""Forecast and anomalies.

Every process publishes the same forecast from the one ledger, so the highest value of all is taken, not the sum. Each
report of an incident is counted by one process, so these are summed.
"""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import RANGE, RATE, Where, by, equal, growth, selector
from grafana.query import Prom
from grafana.traceql import anomalies
from llmcost import semconv

_SCOPE: Final = (semconv.SCOPE_KIND, semconv.SCOPE_VALUE)
_OPENED: Final = {semconv.ANOMALY_EVENT: equal("opened")}
_CLOSED: Final = {semconv.ANOMALY_EVENT: equal("closed")}
_NO_INCIDENT: Final = "nothing was out of the ordinary"
_NO_BUDGET: Final = "no budget is set"
_SCOPE_LEGEND: Final = f"{{{{{label(semconv.SCOPE_KIND)}}}}}"
_BUDGET_LEGEND: Final = f"{{{{{label(semconv.BUDGET_NAME)}}}}}"


def _forecast(bound: str, kind: str, *attributes: str) -> str:
    """One number of the forecasts for scopes of a kind: ``median``, ``lower`` or ``upper``."""
    where: Where = {semconv.SCOPE_KIND: equal(kind), semconv.BOUND: equal(bound)}
    return f"max {by(attributes)}({selector(semconv.FORECAST_COST, where=where)})"


def _of(bound: str, kind: str) -> Prom:
    return Prom(_forecast(bound, kind, semconv.SCOPE_VALUE), bound, "table")


_MONTH_LIMIT: Final = selector(
    semconv.BUDGET_LIMIT, where={semconv.BUDGET_SCOPE: equal("global"), semconv.BUDGET_WINDOW: equal("monthly")}
)
_MONTH_SPENT: Final = selector(
    semconv.BUDGET_SPENT, where={semconv.BUDGET_SCOPE: equal("global"), semconv.BUDGET_WINDOW: equal("monthly")}
)

END_MEDIAN: Final = Prom(_forecast("median", "global"), "median", "instant")
END_LOWER: Final = Prom(_forecast("lower", "global"), "lower", "instant")
END_UPPER: Final = Prom(_forecast("upper", "global"), "upper", "instant")
FAN: Final = (
    Prom(_forecast("upper", "global"), "upper"),
    Prom(_forecast("median", "global"), "median"),
    Prom(_forecast("lower", "global"), "lower"),
    Prom(f"max({_MONTH_SPENT})", "spent so far", empty_when_healthy=_NO_BUDGET),
    Prom(f"max({_MONTH_LIMIT})", "limit", empty_when_healthy=_NO_BUDGET),
)

EXCEED_MOST: Final = Prom(f"max({selector(semconv.FORECAST_EXCEED)})", "chance", "instant")
EXCEED: Final = Prom(f"max {by((semconv.BUDGET_NAME,))}({selector(semconv.FORECAST_EXCEED)})", _BUDGET_LEGEND)
EXCEED_NOW: Final = Prom(EXCEED.expr, _BUDGET_LEGEND, "instant")

BY_LABEL: Final = (_of("lower", "label"), _of("median", "label"), _of("upper", "label"))
BY_BUDGET: Final = (_of("lower", "budget"), _of("median", "budget"), _of("upper", "budget"))

_ANOMALIES: Final = selector(semconv.ANOMALIES)
_OPEN: Final = selector(semconv.ANOMALIES, where=_OPENED)
_OVER: Final = selector(semconv.ANOMALIES, where=_CLOSED)
OPENED: Final = Prom(f"{growth(_OPEN)} or vector(0)", "opened", "instant")


def _still_open(*attributes: str) -> str:
    """Opened less closed; not below 0 where counters began anew between the two."""
    opened, over = (f"sum {by(attributes)}({each})" for each in (_OPEN, _OVER))
    return f"clamp_min({opened} - ({over} or 0 * {opened}), 0)"


OPEN_NOW: Final = Prom(f"{_still_open()} or vector(0)", "open", "instant")
OPEN: Final = Prom(_still_open(*_SCOPE[:1]), _SCOPE_LEGEND, empty_when_healthy=_NO_INCIDENT)
BY_CAUSE: Final = Prom(
    growth(_OPEN, RATE, semconv.ANOMALY_CAUSE),
    f"{{{{{label(semconv.ANOMALY_CAUSE)}}}}}",
    empty_when_healthy=_NO_INCIDENT,
)
REPORTS: Final = Prom(
    f"{growth(_ANOMALIES, RANGE, *semconv.ANOMALIES.attributes)} > 0",
    "reports",
    "table",
    empty_when_healthy=_NO_INCIDENT,
)
MARKS: Final = Prom(
    f"sum {by((semconv.ANOMALY_CAUSE, *_SCOPE[:1]))}(increase({_OPEN}[2m])) > 0",
    "Incident opened",
    empty_when_healthy=_NO_INCIDENT,
)
"""What is marked on the panels over time."""

INCIDENTS: Final = anomalies(
    semconv.ANOMALY_DESCRIPTION, semconv.ANOMALY_CAUSE, semconv.ANOMALY_SEVERITY, semconv.ANOMALY_EXCESS
)
