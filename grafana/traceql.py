"""TraceQL in small pieces. Attributes come from ``llmcost.semconv``; values from the dashboard's variables."""

from __future__ import annotations

from typing import Final

from grafana.names import SERVICE
from grafana.query import TraceQL
from llmcost import semconv


def span(attribute: str) -> str:
    """An attribute of a span."""
    return f"span.{attribute}"


SCOPE: Final = f'resource.{SERVICE} =~ "$service" && {span(semconv.SEMANTIC_LABEL)} =~ "$label"'
"""What every search is narrowed by. The environment is left out: a span without one would never match."""

COSTLY: Final = f"{SCOPE} && {span(semconv.COST_TOTAL)} > 0"
SHOWN: Final = (
    semconv.COST_TOTAL,
    semconv.SEMANTIC_LABEL,
    semconv.REQUEST_MODEL,
    semconv.INPUT_TOKENS,
    semconv.OUTPUT_TOKENS,
    semconv.CODE_FUNCTION,
    semconv.CODE_FILE,
)
"""The columns of a table of calls."""


def search(condition: str, *attributes: str) -> TraceQL:
    """Calls that meet a condition, one row each, with attributes as columns."""
    columns = ", ".join(span(each) for each in attributes or SHOWN)
    return TraceQL(f"{{ {condition} }} | select({columns})")


def dear_traces(condition: str, least: str) -> TraceQL:
    """Whole traces whose calls that meet a condition cost more than ``least`` USD together."""
    return TraceQL(f"{{ {condition} }} | sum({span(semconv.COST_TOTAL)}) > {least}", "traces")


def spend(condition: str, *attributes: str, instant: bool = False) -> TraceQL:
    """The spend over time of calls that meet a condition, the ten dearest values of the attributes."""
    names = ", ".join(span(each) for each in attributes)
    query = f"{{ {condition} }} | sum_over_time({span(semconv.COST_TOTAL)}) by ({names}) | topk(10)"
    return TraceQL(query, "instant" if instant else "range")


def count(condition: str, *attributes: str) -> TraceQL:
    """Calls a second that meet a condition."""
    names = ", ".join(span(each) for each in attributes)
    return TraceQL(f"{{ {condition} }} | rate() by ({names})", "range")


def anomalies(*attributes: str) -> TraceQL:
    """Calls whose span carries the event of an incident, with the event's attributes as columns."""
    columns = ", ".join(f"event.{each}" for each in attributes)
    condition = f'resource.{SERVICE} =~ "$service" && event:name = "{semconv.ANOMALY_EVENT_NAME}"'
    return TraceQL(f"{{ {condition} }} | select({columns})")
