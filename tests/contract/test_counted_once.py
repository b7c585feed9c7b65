"""Field case 12: frameworks and SDKs that both trace, workflow spans that repeat sums, a second ``instrument()``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract.observed import observed
from contract.test_whose_span import COST, ask, tracer
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import llmcost
from llmcost.instrumentor import LLMCostInstrumentor


def test_a_workflow_span_that_repeats_the_sum_is_not_priced() -> None:
    usage: dict[str, Any] = {"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 400}
    with observed() as seen:
        with tracer(seen).start_as_current_span(
            "workflow", attributes={"gen_ai.operation.name": "invoke_workflow", "gen_ai.request.model": "gpt-5-mini"}
        ) as workflow:
            ask()
            ask()
            workflow.set_attributes(usage)
        assert [call.cost.total for call in seen.calls] == pytest.approx([COST, COST])
        priced = [span.name for span in seen.spans if "llm.cost.total" in (span.attributes or {})]
        assert len(priced) == 2
        assert "workflow" not in priced


def test_a_chain_of_openinference_is_not_priced() -> None:
    with observed() as seen:
        with (
            tracer(seen).start_as_current_span("chain", attributes={"openinference.span.kind": "CHAIN"}),
            tracer(seen).start_as_current_span("llm", attributes={"openinference.span.kind": "LLM"}),
        ):
            ask()
        assert [span.name for span in seen.spans if "llm.cost.total" in (span.attributes or {})] == ["llm"]
        assert seen.call.usage.total_tokens == 1200


def test_instrumenting_twice_counts_once() -> None:
    with observed() as seen:
        LLMCostInstrumentor().instrument()
        llmcost.observe(tracer_provider=seen.provider)
        ask()
        assert len(seen.calls) == len(seen.spans) == 1


@pytest.mark.parametrize("address", ["api.openai.com", "api.openai.com:443"])
def test_a_gateway_that_is_observed_itself_counts_and_the_program_does_not(address: str) -> None:
    """Nor are the program's budgets asked: this one would refuse the call."""
    reader = InMemoryMetricReader()
    budgets = [{"name": "day", "daily": 0}]
    metered: dict[str, Any] = {"meter_provider": MeterProvider([reader]), "budgets": budgets, "ledger": "memory://"}
    with observed(gateways={address: "litellm"}, **metered) as seen:
        ask()
        call, attributes = seen.call, dict(seen.span.attributes or {})
        counted = json.loads(reader.get_metrics_data().to_json())  # type: ignore[union-attr]
    assert (call.cost.status, call.cost.total, call.counted_by) == ("counted_elsewhere", None, "litellm")
    assert call.usage.total_tokens == 1200
    assert attributes["llmcost.cost.counted_by"] == "litellm"
    assert "llm.cost.total" not in attributes
    named = {metric["name"] for each in counted["resource_metrics"][0]["scope_metrics"] for metric in each["metrics"]}
    assert "llmcost.calls" in named
    assert not named & {"llm.cost", "llmcost.unpriced"}


def test_a_host_that_is_no_gateway_counts() -> None:
    with observed(gateways={"api.openai.com:8443": "litellm", "llm.example": "litellm"}) as seen:
        ask()
    assert seen.call.cost.total == pytest.approx(COST)
    assert seen.call.counted_by is None
