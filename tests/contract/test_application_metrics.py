"""Metrics on a meter provider of the application's own: either temporality, bounded series, exemplars (R4)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.observed import observed
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost.exporters import DELTA

URL = "https://api.openai.com/v1/chat/completions"
COST = (1000 * 0.25 + 200 * 2.0) / 1e6
MADE_UP = 20_000


def answer(request: Any) -> Any:
    """What a provider says of a model that exists, and of one that does not."""
    httpx = importlib.import_module("httpx")
    model = json.loads(request.content)["model"]
    if model != "gpt-5-mini":
        error = {"message": f"no such model: {model}", "type": "invalid_request_error", "code": "model_not_found"}
        return httpx.Response(404, json={"error": error})
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
    message = {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}
    return httpx.Response(200, json={"id": "c", "model": model, "choices": [message], "usage": usage})


@pytest.fixture
def client() -> Iterator[Any]:
    httpx = importlib.import_module("httpx")
    with httpx.Client(transport=httpx.MockTransport(answer)) as made:
        yield made


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """The data points of each instrument."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.mark.parametrize("delta", [False, True], ids=["cumulative", "delta"])
def test_either_temporality_adds_up(client: Any, delta: bool) -> None:
    reader = InMemoryMetricReader(preferred_temporality=DELTA if delta else {})
    with observed(meter_provider=MeterProvider([reader])):
        sums = []
        for number in (3, 2):
            for _ in range(number):
                client.post(URL, json={"model": "gpt-5-mini", "messages": []})
            found = points(reader)
            sums.append((found["llm.cost"][0].value, found["llmcost.calls"][0].value))
    expected = [3, 2] if delta else [3, 5]
    assert [calls for _, calls in sums] == expected
    assert [cost for cost, _ in sums] == pytest.approx([calls * COST for calls in expected])


def test_exemplars_point_at_the_calls_span(client: Any) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], exemplar_filter=AlwaysOnExemplarFilter())
    with observed(meter_provider=provider) as seen:
        with seen.provider.get_tracer("app").start_as_current_span("app"):
            client.post(URL, json={"model": "gpt-5-mini", "messages": []})
        spans = {span.name: span.get_span_context().span_id for span in seen.spans}  # type: ignore[union-attr]
        found = {
            (name, exemplar.span_id)
            for name, data_points in points(reader).items()
            if name != "llmcost.internal.errors"  # counts faults of the process, not of a call
            for point in data_points
            for exemplar in point.exemplars
        }
    assert {span_id for _, span_id in found} == {spans["chat gpt-5-mini"]}
    assert {"llm.cost", "llmcost.call.cost", "gen_ai.client.operation.duration"} <= {name for name, _ in found}


@pytest.mark.slow
def test_made_up_models_mint_no_series(client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from llmcost.cli import main

    reader = InMemoryMetricReader()
    store = tmp_path / ".llmcost"
    with observed(meter_provider=MeterProvider([reader]), store=store) as seen:
        client.post(URL, json={"model": "gpt-5-mini", "messages": []})
        for number in range(MADE_UP):
            client.post(URL, json={"model": f"gpt-{number}-nonsense", "messages": []})
        found = points(reader)
        seen.exporter.clear()
        seen.calls.clear()
    assert {name: len(data) for name, data in found.items() if len(data) > 4} == {}
    models = {str(point.attributes.get("gen_ai.request.model")) for point in found["llmcost.calls"]}
    assert models == {"gpt-5-mini", "other"}
    assert sum(point.value for point in found["llmcost.calls"]) == MADE_UP + 1
    assert main(["report", "--by", "model", "--json", "--store", str(store)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["key"]: (row["calls"], row["folded"]) for row in told["rows"]} == {
        "gpt-5-mini": (1, 1),
        "other": (MADE_UP, MADE_UP),
    }
    assert f"{MADE_UP:,} model names that never succeeded folded into 'other'." in told["notes"]
