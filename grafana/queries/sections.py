"""Which section of the code spends: shares, calls, averages, and the way down to file and function."""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import RANGE, RATE, growth, ratio, selector, speed
from grafana.queries.spend import CALLS, COST
from grafana.query import Prom
from grafana.traceql import COSTLY, search, spend
from llmcost import semconv

_LABEL: Final = semconv.SEMANTIC_LABEL
_LEGEND: Final = f"{{{{{label(_LABEL)}}}}}"

SPEND: Final = Prom(growth(COST, RANGE, _LABEL), "spend", "table")
SHARE: Final = Prom(f"{growth(COST, RANGE, _LABEL)} / scalar({growth(COST)})", "share", "table")
CALLS_OF: Final = Prom(growth(CALLS, RANGE, _LABEL), "calls", "table")
AVERAGE: Final = Prom(ratio(growth(COST, RANGE, _LABEL), growth(CALLS, RANGE, _LABEL)), "average", "table")
LABELS: Final = Prom(f"count({growth(COST, RANGE, _LABEL)} > 0)", "sections", "instant")
SHARE_BARS: Final = Prom(f"sort_desc({growth(COST, RANGE, _LABEL)} / scalar({growth(COST)}))", _LEGEND, "instant")

TREND: Final = Prom(f"3600 * {speed(COST, _LABEL)}", _LEGEND)
CALL_TREND: Final = Prom(f"60 * {speed(CALLS, _LABEL)}", _LEGEND)
CALL_COST: Final = Prom(ratio(speed(COST, _LABEL), speed(CALLS, _LABEL)), _LEGEND)
HEAT: Final = Prom(growth(COST, RATE, _LABEL), _LEGEND)
BY_MODEL: Final = Prom(growth(COST, RANGE, _LABEL, semconv.REQUEST_MODEL), "spend", "table")
BY_OPERATION: Final = Prom(
    growth(selector(semconv.COST), RANGE, semconv.OPERATION_NAME), f"{{{{{label(semconv.OPERATION_NAME)}}}}}", "instant"
)

FUNCTIONS: Final = spend(COSTLY, semconv.CODE_FILE, semconv.CODE_FUNCTION)
"""The heat map of the code: what each function spends over time."""
FUNCTION_CALLS: Final = search(
    COSTLY,
    semconv.COST_TOTAL,
    semconv.SEMANTIC_LABEL,
    semconv.CODE_FILE,
    semconv.CODE_LINE,
    semconv.CODE_FUNCTION,
    semconv.SEMANTIC_LABEL_SOURCE,
)
UNTRACKED_CALLS: Final = search(
    f'resource.service.name =~ "$service" && span.{_LABEL} = "{semconv.UNTRACKED}"',
    semconv.COST_TOTAL,
    semconv.CODE_FILE,
    semconv.CODE_FUNCTION,
    semconv.REQUEST_MODEL,
)
