"""Money: now, today, this month; by section, model and provider; and how far the numbers can be trusted."""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import ANYWHERE, Where, equal, growth, like, ratio, selector, share, speed
from grafana.query import Prom
from llmcost import semconv

COST: Final = selector(semconv.COST)
CALLS: Final = selector(semconv.CALLS)

_LABEL: Final = label(semconv.SEMANTIC_LABEL)
_MODEL: Final = label(semconv.REQUEST_MODEL)
_PROVIDER: Final = label(semconv.PROVIDER_NAME)


def _hourly(*attributes: str) -> str:
    return f"3600 * {speed(COST, *attributes)}"


def _calls(where: Where = ANYWHERE) -> str:
    return growth(selector(semconv.CALLS, where=where))


NOW: Final = Prom(_hourly(), "USD an hour")
IN_RANGE: Final = Prom(growth(COST), "USD", "instant")
CALLS_IN_RANGE: Final = Prom(growth(CALLS), "calls", "instant")
CALL_MEAN: Final = Prom(ratio(growth(COST), growth(CALLS)), "USD a call", "instant")

BY_LABEL: Final = Prom(_hourly(semconv.SEMANTIC_LABEL), f"{{{{{_LABEL}}}}}")
BY_MODEL: Final = Prom(_hourly(semconv.REQUEST_MODEL), f"{{{{{_MODEL}}}}}")
BY_PROVIDER: Final = Prom(_hourly(semconv.PROVIDER_NAME), f"{{{{{_PROVIDER}}}}}")

TOP_LABELS: Final = Prom(
    f"topk(10, {growth(COST, '$__range', semconv.SEMANTIC_LABEL)})", f"{{{{{_LABEL}}}}}", "instant"
)
TOP_MODELS: Final = Prom(f"topk(10, {growth(COST, '$__range', semconv.REQUEST_MODEL)})", f"{{{{{_MODEL}}}}}", "instant")
TOP_PROVIDERS: Final = Prom(
    f"topk(10, {growth(COST, '$__range', semconv.PROVIDER_NAME)})", f"{{{{{_PROVIDER}}}}}", "instant"
)

UNPRICED_SHARE: Final = Prom(share(_calls({semconv.COST_STATUS: equal("unpriced")}), _calls()), "unpriced", "instant")
ESTIMATED_SHARE: Final = Prom(
    share(_calls({semconv.COST_STATUS: like("estimated|partial")}), _calls()), "estimated", "instant"
)
UNTRACKED_SHARE: Final = Prom(
    share(_calls({semconv.SEMANTIC_LABEL: equal(semconv.UNTRACKED)}), _calls()), "untracked", "instant"
)
