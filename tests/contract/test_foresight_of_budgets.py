"""Budgets by tenant, agent or any key of the context are foretold: from the call to the gauge and the command line."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.budgeting import MODEL, URL, answer, body
from contract.observed import observed
from factories import a_call
from ledgers import Clock
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from stores import filled

import llmcost
from llmcost.calls import Attribution, Call
from llmcost.cli import main
from llmcost.control.feed import open_feed
from llmcost.processors import publishing
from llmcost.processors.sums import further_scopes
from llmcost.runtime import runtime

BUDGETS = [
    {"name": "tenants", "scope": "tenant", "monthly": 0.002, "mode": "observe"},
    {"name": "agents", "scope": "agent", "weekly": 900},
    {"name": "runs", "scope": "run", "total": 5},
    {"name": "all", "monthly": 5000},
]
DAY = 86_400


def calls(now: float, days: int = 30) -> Iterator[Call]:
    """A dollar a day for two tenants and an agent, in four calls, until now."""
    for number in range(4 * days):
        about = Attribution(
            label="chat", label_source="map", agent="pm", context={"tenant": "acme" if number % 2 else "initech"}
        )
        started = now - days * DAY + number * DAY / 4 + 60
        yield a_call(number, started_ns=int(started * 1e9), cost=0.25, attribution=about, request_model=MODEL)


def gauge(reader: InMemoryMetricReader, name: str) -> dict[tuple[Any, ...], float]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        tuple(dict(point.attributes or {}).values()): point.value  # type: ignore[union-attr]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    }


def test_scopes_that_come_and_go_have_no_series() -> None:
    with observed(budgets=BUDGETS, ledger="memory://", store=False, metrics=False):
        assert runtime.config is not None
        assert further_scopes(runtime.config.budgets) == ("agent", "tenant")


def test_a_budget_of_a_context_key_is_foretold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, reader = Clock(time.time()), InMemoryMetricReader()
    store = filled(tmp_path / ".llmcost", calls(clock.at)).root
    monkeypatch.setattr(publishing, "open_feed", lambda url: open_feed(url, clock))
    with observed(
        budgets=BUDGETS, store=store, foresight="on", meter_provider=MeterProvider([reader]), http_spans="keep"
    ):
        transport = httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"content-type": "application/json"}, content=answer())
        )
        with httpx.Client(transport=transport) as client, llmcost.context(tenant="acme", agent="pm"):
            assert client.post(URL, json=body()).status_code == 200
        outlook = runtime.outlook
        assert outlook is not None
        for _ in range(5):
            outlook.beat()
            clock.at += 600
        chances = gauge(reader, "llmcost.forecast.exceed_probability")
        assert chances["tenants",] > 0.99
        assert chances["agents",] < 0.01
        shown = gauge(reader, "llmcost.forecast.cost")
        assert ("agent", "pm", "median") in shown
        assert not any("acme" in key for key in shown)

    (tmp_path / "llmcost.toml").write_text(
        '[[budgets]]\nname = "tenants"\nscope = "tenant"\nmonthly = 0.002\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    out, err = io.StringIO(), io.StringIO()
    assert main(["forecast", "--budget", "tenants", "--json"], out, err) == 0, err.getvalue()
    (acme,) = [one for one in json.loads(out.getvalue())["outlooks"] if one["name"] == "acme"]
    assert (acme["kind"], acme["budget"], acme["window"]) == ("tenant", "tenants", "monthly")
    assert acme["total"]["risk_score"] > 0.99
    assert acme["exhaustion"]["expected"] is not None
