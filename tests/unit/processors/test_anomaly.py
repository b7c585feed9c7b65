"""How a report is told: on a span, as a log record, by counter, callback and webhook, each once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from factories import a_call
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost import semconv
from llmcost.calls import Attribution
from llmcost.insight import GLOBAL, Anomaly, Change, Profile, Scope
from llmcost.processors.anomaly import AnomalySpanProcessor
from llmcost.processors.webhook import Post

BEFORE = Profile(10.0, 0.01, 900.0, 0.0, 0.0, "gpt-5-mini")
REPORT = Anomaly(
    event="opened",
    timestamp=1_800_000_600.0,
    since=1_800_000_000.0,
    scope=Scope("label", "summarization"),
    expected=0.1,
    actual=0.5,
    excess=0.4,
    severity="medium",
    cause="model",
    change=Change("model", "gpt-5-mini", "gpt-5.4"),
    before=BEFORE,
    after=replace(BEFORE, call_cost=0.05, model="gpt-5.4"),
)


class Found:
    """Stands for the process's part in the feed: gives each report once."""

    def __init__(self, *reports: Anomaly) -> None:
        self.reports = list(reports)

    def news(self) -> list[Anomaly]:
        taken, self.reports = self.reports, []
        return taken


class Posts:
    def __init__(self) -> None:
        self.sent: list[Post] = []

    def send(self, post: Post) -> None:
        self.sent.append(post)

    def stop(self) -> None:
        """Nothing to end."""


def processor(*reports: Anomaly, **others: Any) -> AnomalySpanProcessor:
    return AnomalySpanProcessor(Found(*reports), **others)  # type: ignore[arg-type]


def test_callback_and_webhook_get_each_report_once() -> None:
    told: list[Anomaly] = []
    posts = Posts()
    closed = replace(REPORT, event="closed", timestamp=REPORT.timestamp + 6000)
    tells = processor(REPORT, closed, callback=told.append, webhook=posts)
    tells.publish()
    tells.publish()
    assert told == [REPORT, closed]
    first, last = (json.loads(post.body) for post in posts.sent)
    assert first["incident"] == last["incident"] == "label:summarization:1800000000"
    assert (first["event"], last["event"]) == ("opened", "closed")
    assert first["scope"] == {"kind": "label", "name": "summarization"}
    assert first["change"] == {"measure": "model", "before": "gpt-5-mini", "after": "gpt-5.4"}
    assert first["description"] == REPORT.description
    assert len({post.id for post in posts.sent}) == 2


def test_a_callback_that_raises_keeps_nothing_from_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCOST_STRICT", "0")
    posts = Posts()

    def broken(_: Anomaly) -> None:
        raise RuntimeError("mine")

    processor(REPORT, replace(REPORT, scope=GLOBAL), callback=broken, webhook=posts).publish()
    assert len(posts.sent) == 2


def test_the_next_call_concerned_carries_the_event_once() -> None:
    tells = processor(REPORT)
    other = a_call(label="chat")
    mine = a_call(label="summarization")
    assert tells.events(mine) == []
    tells.publish()
    assert tells.events(other) == []
    ((name, attributes),) = tells.events(mine)
    assert name == "llmcost.anomaly"
    assert attributes[semconv.ANOMALY_CAUSE] == "model"
    assert attributes[semconv.ANOMALY_SEVERITY] == "medium"
    assert attributes[semconv.ANOMALY_DESCRIPTION] == REPORT.description
    assert tells.events(mine) == []


@pytest.mark.parametrize("scope", [GLOBAL, Scope("user", "u1"), Scope("model", "gpt-5-mini")])
def test_every_kind_of_scope_finds_its_call(scope: Scope) -> None:
    tells = processor(replace(REPORT, scope=scope))
    tells.publish()
    assert len(tells.events(a_call(attribution=Attribution(label="chat", user_id="u1")))) == 1


def test_the_counter_counts_by_cause_and_never_names_users() -> None:
    reader = InMemoryMetricReader()
    tells = processor(REPORT, replace(REPORT, scope=Scope("user", "u1")), meter_provider=MeterProvider([reader]))
    tells.publish()
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = [
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "llmcost.anomalies"
    ]
    points = {dict(point.attributes or {})["llmcost.scope"]: point for point in metric.data.data_points}
    assert set(points) == {"label", "user"}
    for point in points.values():
        assert point.value == 1  # type: ignore[union-attr]
        assert set(point.attributes or {}) == {
            "llmcost.scope",
            "llmcost.anomaly.event",
            "llmcost.anomaly.severity",
            "llmcost.anomaly.cause",
        }


def test_a_log_record_tells_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    emitted: list[dict[str, Any]] = []

    class Logger:
        def emit(self, **values: Any) -> None:
            emitted.append(values)

    monkeypatch.setattr("opentelemetry._logs.get_logger", lambda *_, **__: Logger())
    processor(REPORT).publish()
    (record,) = emitted
    assert record["event_name"] == "llmcost.anomaly"
    assert record["body"] == REPORT.description
    assert record["severity_number"].name == "WARN"
    assert record["attributes"]["llmcost.anomaly.incident"] == REPORT.incident
