"""What is asked of Prometheus and of the trace store, apart from how it is shown.

The rows are in ``queries``, one module for each dashboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Prom:
    """A PromQL query.

    Attributes:
        expr: the query, with Grafana's variables.
        legend: name of a series, with ``{{label}}``.
        form: ``range`` for a line, ``instant`` for one number, ``table`` for one row a series.
        exemplars: whether to ask for exemplars, which lead to traces.
        empty_when_healthy: why no data is right where all is well; empty where data must come.
    """

    expr: str
    legend: str = ""
    form: Literal["range", "instant", "table"] = "range"
    exemplars: bool = False
    empty_when_healthy: str = ""


@dataclass(frozen=True, slots=True)
class TraceQL:
    """A query of the trace store.

    Attributes:
        query: TraceQL, with Grafana's variables.
        form: ``traces`` or ``spans`` for a search, ``range`` or ``instant`` for TraceQL metrics.
    """

    query: str
    form: Literal["traces", "spans", "range", "instant"] = "spans"


Query = Prom | TraceQL
