"""One call, one cost: spans of others are adopted, and a call counts where there is no span at all."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from contract.observed import Observed, observed
from opentelemetry import trace
from opentelemetry.context import attach, detach, set_value
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

URL = "https://api.openai.com/v1/chat/completions"
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-5-mini-2025-08-07",
    "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
}
COST = (1000 * 0.25 + 200 * 2.0) / 1e6


def ask(*statuses: int) -> None:
    """One call, or as many tries as statuses, by one SDK-like client."""
    httpx = importlib.import_module("httpx")
    answers = iter(statuses or (200,))

    def answer(_: Any) -> Any:
        status = next(answers)
        return httpx.Response(status, json=ANSWER if status == 200 else {"error": {"type": "rate_limit"}})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        for _ in statuses or (200,):
            client.post(URL, content=json.dumps({"model": "gpt-5-mini", "messages": []}))


def tracer(seen: Observed) -> Tracer:
    """A tracer of another instrumentation."""
    made = seen.provider.get_tracer("opentelemetry.instrumentation.openai.v1")
    assert isinstance(made, Tracer)
    return made


OUTER = [
    {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"},
    {"openinference.span.kind": "LLM"},
    {"llm.request.type": "chat", "gen_ai.system": "openai"},
]


@pytest.mark.parametrize("attributes", OUTER, ids=["genai", "openinference", "openllmetry"])
def test_an_open_span_of_another_instrumentation_is_adopted(attributes: dict[str, str]) -> None:
    with observed() as seen:
        with tracer(seen).start_as_current_span("theirs", attributes=attributes):
            ask()
        got = dict(seen.span.attributes or {})
        assert seen.span.name == "theirs"
        assert got["llm.cost.total"] == pytest.approx(COST)
        assert got["llm.semantic_label"] == "untracked"
        assert got["llmcost.attempts"] == 1
        assert attributes.items() <= got.items()
        assert seen.call.span_id == trace.format_span_id(seen.span.get_span_context().span_id)  # type: ignore[union-attr]


def test_what_an_adopted_span_says_stays() -> None:
    theirs: dict[str, Any] = {
        **OUTER[0],
        "gen_ai.usage.prompt_tokens": 7,
        "code.function.name": "theirs",
        "error.type": "theirs",
    }
    with observed() as seen:
        with tracer(seen).start_as_current_span("theirs", attributes=theirs):
            ask()
        got = dict(seen.span.attributes or {})
        assert theirs.items() <= got.items()
        assert "gen_ai.usage.input_tokens" not in got, "an older spelling of it is there"
        assert got["gen_ai.usage.output_tokens"] == 200


def test_an_adopted_span_that_stands_for_several_sends_carries_their_sum() -> None:
    with observed() as seen:
        with tracer(seen).start_as_current_span("theirs", attributes=OUTER[0]):
            ask(429, 200, 200)
        got = dict(seen.span.attributes or {})
        assert got["llm.cost.total"] == pytest.approx(2 * COST)
        assert got["llmcost.attempts"] == 3
        assert [call.cost.status for call in seen.calls] == ["not_billed", "priced", "priced"]
        assert "error.type" not in got


@pytest.mark.parametrize("operation", ["invoke_agent", "invoke_workflow", "execute_tool"])
def test_spans_that_only_surround_calls_are_not_adopted(operation: str) -> None:
    with observed() as seen:
        with tracer(seen).start_as_current_span("agent", attributes={"gen_ai.operation.name": operation}):
            ask()
        ours, outer = seen.spans
        assert ours.parent is not None
        assert ours.parent.span_id == outer.get_span_context().span_id  # type: ignore[union-attr]
        assert "llm.cost.total" not in (outer.attributes or {})
        assert (ours.attributes or {})["llm.cost.total"] == pytest.approx(COST)


def test_nested_spans_of_two_instrumentations_carry_one_cost() -> None:
    with observed() as seen:
        with (
            tracer(seen).start_as_current_span("framework", attributes=OUTER[0]),
            tracer(seen).start_as_current_span("sdk", attributes=OUTER[0]),
        ):
            ask()
        assert [span.name for span in seen.spans if "llm.cost.total" in (span.attributes or {})] == ["sdk"]
        assert len(seen.calls) == 1


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0.01)], ids=["off", "1 %"])
def test_calls_count_whatever_is_sampled(sampler: Any) -> None:
    with observed(tracer_provider=TracerProvider(sampler=sampler)) as seen:
        for _ in range(50):
            ask()
        assert sum(call.cost.total or 0 for call in seen.calls) == pytest.approx(50 * COST)


def test_calls_count_without_any_provider() -> None:
    with observed(tracer_provider=trace.NoOpTracerProvider()) as seen:
        ask()
        assert seen.spans == ()
        assert seen.call.cost.total == pytest.approx(COST)
        assert seen.call.trace_id is None


def test_suppressed_instrumentation_makes_no_span_but_counts() -> None:
    with observed() as seen:
        with suppress_instrumentation():
            ask()
        token = attach(set_value("suppress_language_model_instrumentation", True))
        ask()
        detach(token)
        assert seen.spans == ()
        assert len(seen.calls) == 2


def test_a_provider_that_is_set_later_counts() -> None:
    with observed(tracer_provider=trace.ProxyTracerProvider()) as seen:
        ask()
        assert (seen.spans, len(seen.calls)) == ((), 1)


def test_profiles_write_peers_names() -> None:
    with observed(profiles="openlit,logfire,langfuse,otel-draft") as seen:
        ask()
        got = dict(seen.span.attributes or {})
        assert got["gen_ai.usage.cost"] == got["operation.cost"] == got["gen_ai.usage.cost.amount"]
        assert json.loads(str(got["langfuse.observation.cost_details"]))["total"] == pytest.approx(COST)
        assert got["gen_ai.usage.cost.currency"] == "USD"


def test_the_second_door_counts_spans_of_opened_scopes_once() -> None:
    with observed(second_door=("grpc.vertex",)) as seen:
        usage: dict[str, Any] = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.completion_tokens": 200}
        chat: dict[str, Any] = {**OUTER[0], "gen_ai.response.model": "gpt-5-mini", **usage}
        for scope in ("grpc.vertex", "somebody.else"):
            seen.provider.get_tracer(scope).start_span("chat", attributes=chat).end()
        agent = {**chat, "gen_ai.operation.name": "invoke_agent"}
        seen.provider.get_tracer("grpc.vertex").start_span("agent", attributes=agent).end()
        assert seen.call.cost.total == pytest.approx(COST)
        with seen.provider.get_tracer("grpc.vertex").start_as_current_span("chat", attributes=chat):
            ask()
        assert len(seen.calls) == 2, "a span that the flow adopted comes by the first door only"
