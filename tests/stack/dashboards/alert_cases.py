"""What each alert is tried with: series by minute, and when it must be quiet, fire and be over.

``values`` are promtool's: ``0+1x10`` is eleven samples that grow by 1, ``5x10`` eleven of the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_BUDGET: Final = (
    'llmcost_budget_used_ratio{service_name="s", llmcost_budget_name="b", llmcost_budget_scope="global", '
    'llmcost_budget_window="monthly"}'
)
_CALLS: Final = "llmcost_calls_total"
_WEEK: Final = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Case:
    """One alert. Times are minutes from the first sample."""

    alert: str
    series: Mapping[str, str]
    quiet: int
    fires: int
    over: int


CASES: Final = (
    Case("LLMCostBudgetNearlyUsed", {_BUDGET: "0.5x9 0.85x20 0.2x60"}, quiet=8, fires=15, over=40),
    Case("LLMCostBudgetUsedUp", {_BUDGET: "0.95x9 1.01x20 0.1x60"}, quiet=8, fires=12, over=40),
    Case(
        "LLMCostBudgetWillBePassed",
        {'llmcost_forecast_exceed_probability_ratio{llmcost_budget_name="b"}': "0.1x9 0.9x60 0.3x60"},
        quiet=30,
        fires=45,
        over=80,
    ),
    Case(
        "LLMCostSpendAboveLastWeek",
        {'llm_cost_total{service_name="s"}': f"0+0.01x{_WEEK} 101+0.05x180 110+0.001x180"},
        quiet=_WEEK,
        fires=_WEEK + 120,
        over=_WEEK + 300,
    ),
    Case(
        "LLMCostIncidentOpen",
        {
            'llmcost_anomalies_total{llmcost_scope="label", llmcost_anomaly_event="opened"}': "0x9 1x200",
            'llmcost_anomalies_total{llmcost_scope="label", llmcost_anomaly_event="closed"}': "0x99 1x110",
        },
        quiet=8,
        fires=30,
        over=130,
    ),
    Case(
        "LLMCostUnpricedModel",
        {'llmcost_calls_unpriced_total{gen_ai_provider_name="p", gen_ai_request_model="new"}': "0x9 0+1x10 10x200"},
        quiet=8,
        fires=15,
        over=120,
    ),
    Case(
        "LLMCostEstimatedShareHigh",
        {
            f'{_CALLS}{{service_name="s", llmcost_cost_status="priced"}}': "0+2x400",
            f'{_CALLS}{{service_name="s", llmcost_cost_status="estimated"}}': "0x59 0+2x120 240x220",
        },
        quiet=50,
        fires=170,
        over=300,
    ),
    Case(
        "LLMCostErrorRateHigh",
        {
            'gen_ai_client_operation_duration_seconds_count{gen_ai_provider_name="p"}': "0+10x100",
            'gen_ai_client_operation_duration_seconds_count{gen_ai_provider_name="p", error_type="429"}': (
                "0x19 0+5x30 150x60"
            ),
        },
        quiet=15,
        fires=45,
        over=80,
    ),
    Case(
        "LLMCostCallsRefused",
        {f'{_CALLS}{{llm_semantic_label="l", llmcost_budget_action="block"}}': "0x9 0+1x10 10x60"},
        quiet=8,
        fires=15,
        over=50,
    ),
    Case(
        "LLMCostInternalErrors",
        {'llmcost_internal_errors_total{llmcost_place="flow.begin"}': "0x9 0+1x5 5x60"},
        quiet=8,
        fires=12,
        over=50,
    ),
    Case(
        "LLMCostCollectorNotReceiving",
        {'otelcol_receiver_accepted_metric_points{receiver="otlp"}': "0+10x20 200x30 _x30 300+10x60"},
        quiet=15,
        fires=75,
        over=100,
    ),
)
