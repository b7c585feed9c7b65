"""Labels in metrics are bounded, whatever a program makes labels of."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from factories import a_call
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost.processors.metrics import MOST_SETS, MetricsSpanProcessor

LABELS = 100_000


def test_a_hundred_thousand_labels_are_a_thousand_series(caplog: pytest.LogCaptureFixture) -> None:
    reader = InMemoryMetricReader()
    processor = MetricsSpanProcessor(MeterProvider([reader], shutdown_on_exit=False))
    with caplog.at_level(logging.WARNING, "llmcost"):
        for number in range(LABELS):
            processor.observe(a_call(number, label=f"label-{number}", cost=0.001))
    data = reader.get_metrics_data()
    assert data is not None
    points: dict[str, list[Any]] = {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    for name in ("llm.cost", "llmcost.calls", "llmcost.call.cost"):
        assert len(points[name]) == MOST_SETS + 1
    calls = {point.attributes["llm.semantic_label"]: point.value for point in points["llmcost.calls"]}
    assert calls["label-0"] == 1
    assert calls["other"] == processor.labels.folded == LABELS - MOST_SETS
    assert sum(point.value for point in points["llm.cost"]) == pytest.approx(LABELS * 0.001)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "count further labels as 'other'" in caplog.text
