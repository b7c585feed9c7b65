"""Budgets: limit, spent, reserved, how long they last, and what they decided.

Every process publishes the same gauges from the one ledger, so the highest value of all is taken, not the sum.
"""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import RANGE, equal, growth, selector, speed
from grafana.query import Prom
from llmcost import semconv

_WHICH: Final = tuple(name for name in semconv.BUDGET_LIMIT.attributes)
_BY: Final = ", ".join(label(name) for name in _WHICH)
_LEGEND: Final = " ".join(f"{{{{{label(name)}}}}}" for name in _WHICH)
_ACTION: Final = label(semconv.BUDGET_ACTION)
_BLOCKED: Final = {semconv.BUDGET_ACTION: equal("block")}
_NONE_BLOCKED: Final = "no call was refused"


def _standing(metric: semconv.Metric) -> str:
    return f"max by ({_BY}) ({selector(metric)})"


_LIMIT: Final = _standing(semconv.BUDGET_LIMIT)
_SPENT: Final = _standing(semconv.BUDGET_SPENT)
_RESERVED: Final = _standing(semconv.BUDGET_RESERVED)
_RATIO: Final = _standing(semconv.BUDGET_USED_RATIO)
_PACE: Final = f"max by ({_BY}) (deriv({selector(semconv.BUDGET_SPENT)}[1h]))"

LIMIT: Final = Prom(_LIMIT, "limit", "table")
SPENT: Final = Prom(_SPENT, "spent", "table")
RESERVED: Final = Prom(_RESERVED, "reserved", "table")
RATIO: Final = Prom(_RATIO, "used", "table")
LEFT: Final = Prom(f"({_LIMIT} - {_SPENT} - {_RESERVED})", "left", "table")
LASTS: Final = Prom(f"clamp_min({_LIMIT} - {_SPENT} - {_RESERVED}, 0) / ({_PACE} > 0)", "lasts", "table")
"""Seconds until the limit is reached at the pace of the last hour; no row where nothing is spent."""

SHORTEST: Final = Prom(
    f"min({LASTS.expr})", "", "instant", empty_when_healthy="nothing was spent under a budget in the last hour"
)
USED: Final = Prom(_RATIO, _LEGEND)
USED_NOW: Final = Prom(f"topk(8, {_RATIO})", _LEGEND, "instant")
USED_MOST: Final = Prom(
    f"max by ({label(semconv.BUDGET_NAME)}) ({_RATIO})", f"{{{{{label(semconv.BUDGET_NAME)}}}}}", "instant"
)
SPENT_OVER_TIME: Final = Prom(_SPENT, f"spent {_LEGEND}")
LIMIT_OVER_TIME: Final = Prom(_LIMIT, f"limit {_LEGEND}")
RESERVED_OVER_TIME: Final = Prom(_RESERVED, _LEGEND)

DECISIONS: Final = Prom(
    f"60 * {speed(selector(semconv.BUDGET_DECISIONS), semconv.BUDGET_ACTION)}", f"{{{{{_ACTION}}}}}"
)
DECIDED: Final = Prom(
    growth(selector(semconv.BUDGET_DECISIONS), RANGE, semconv.BUDGET_ACTION), f"{{{{{_ACTION}}}}}", "instant"
)
BLOCKED: Final = Prom(f"{growth(selector(semconv.CALLS, where=_BLOCKED))} or vector(0)", "refused", "instant")
BLOCKED_BY_LABEL: Final = Prom(
    growth(selector(semconv.CALLS, where=_BLOCKED), RANGE, semconv.SEMANTIC_LABEL),
    f"{{{{{label(semconv.SEMANTIC_LABEL)}}}}}",
    "instant",
    empty_when_healthy=_NONE_BLOCKED,
)
USERS: Final = Prom(
    f"topk(20, {growth(selector(semconv.USER_COST), RANGE, semconv.USER_ID)})",
    "spent",
    "table",
    empty_when_healthy="no program has metric_users set",
)
