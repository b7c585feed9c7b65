"""Field case 12: frameworks and SDKs that both trace, workflow spans that repeat sums, a second ``instrument()``."""

from __future__ import annotations

from typing import Any

import pytest
from contract.observed import observed
from contract.test_whose_span import COST, ask, tracer

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
