"""Budgets on the path of a call: admitted, refused, rewritten, settled, in every hooked client."""

from __future__ import annotations

import asyncio
import importlib
import json
import queue
import time
from pathlib import Path
from typing import Any

import pytest
from contract.budgeting import MODEL, NANO, URL, Budgeted, answer, body, budgeted
from contract.observed import observed
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import llmcost
from llmcost.calls import nano_dollars
from llmcost.control import Admission, Callbacks, EnforcementContext, PastCall, Verdict, replay
from llmcost.exchange.held import cost_of
from llmcost.exchange.refusal import refusal
from llmcost.runtime import runtime


@pytest.fixture(params=["httpx", "httpx-async", "httpx2", "httpx2-async"])
def post(request: pytest.FixtureRequest) -> Any:
    name, _, kind = request.param.partition("-")
    module = importlib.import_module(name)

    def sync(seen: Budgeted, url: str = URL, **more: Any) -> Any:
        with module.Client(transport=module.MockTransport(seen.respond(module))) as client:
            return client.post(url, json=body(**more))

    async def asynchronous(seen: Budgeted, url: str, more: dict[str, Any]) -> Any:
        async with module.AsyncClient(transport=module.MockTransport(seen.respond(module))) as client:
            return await client.post(url, json=body(**more))

    def run(seen: Budgeted, url: str = URL, **more: Any) -> Any:
        return asyncio.run(asynchronous(seen, url, more))

    return run if kind else sync


def test_an_allowed_call_is_settled_exactly(post: Any) -> None:
    with budgeted({"name": "day", "daily": 1}) as under:
        response = post(under)
        assert response.status_code == 200
        assert under.spent() == [(NANO, 0, 1)]
        call = under.seen.call
        assert (call.budget_action, call.budget_name, call.requested_model) == ("allow", None, None)
        assert (under.seen.span.attributes or {})["llmcost.budget.action"] == "allow"


def test_a_refused_call_is_answered_in_the_providers_shape_and_never_sent(post: Any) -> None:
    with budgeted({"name": "day", "daily": 0}) as under:
        response = post(under)
        assert under.requests == []
        assert (response.status_code, response.headers["x-should-retry"]) == (402, "false")
        assert response.headers["x-llmcost-budget"] == "day"
        error = response.json()["error"]
        assert error["type"] == error["code"] == "llmcost_budget_exceeded"
        assert "budget 'day': $0.00 of $0.00 daily used" in error["message"]
        call = under.seen.call
        assert (call.budget_action, call.budget_name) == ("block", "day")
        assert (call.cost.status, call.cost.total, call.status_code) == ("not_billed", None, 402)
        assert call.error_type == "llmcost_budget_exceeded"
        assert under.spent() == [(0, 0, 0)]
        attributes = under.seen.span.attributes or {}
        assert attributes["llmcost.budget.action"] == "block"
        assert attributes["llmcost.cost.status"] == "not_billed"
        assert [event.name for event in under.seen.span.events] == ["llmcost.budget.decision"]


def test_a_degraded_call_is_sent_with_the_other_model(post: Any) -> None:
    row = {"name": "day", "daily": 1, "thresholds": {"warn": 0, "degrade": 0}, "fallbacks": {MODEL: ["gpt-5-nano"]}}
    with budgeted(row) as under:
        response = post(under, max_completion_tokens=50)
        assert response.status_code == 200
        sent = under.requests[0]
        content = sent.read() if not hasattr(sent, "_content") else sent.content
        assert b'"model":"gpt-5-nano"' in content
        assert sent.headers["content-length"] == str(len(content))
        call = under.seen.call
        assert (call.budget_action, call.request_model, call.requested_model) == ("degrade", "gpt-5-nano", MODEL)
        attributes = under.seen.span.attributes or {}
        assert attributes["llmcost.requested_model"] == MODEL
        assert attributes["gen_ai.request.model"] == "gpt-5-nano"
        assert under.seen.span.name == "chat gpt-5-nano"


def test_who_called_finds_its_budget() -> None:
    httpx = importlib.import_module("httpx")
    with budgeted(
        {"name": "users", "scope": "user", "daily": 1}, {"name": "t", "scope": "tenant", "daily": 0}
    ) as under:
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            with llmcost.context(user_id="u1"):
                assert client.post(URL, json=body()).status_code == 200
            with llmcost.context(user_id="u1", tenant="acme"):
                refused = client.post(URL, json=body())
        assert refused.status_code == 402
        assert under.spent(user="u1") == [(NANO, 0, 1)]
        with pytest.raises(httpx.HTTPStatusError) as raised:
            refused.raise_for_status()
        found = refusal(raised.value)
        assert found is not None
        assert (found.budget, found.scope, found.value, found.limit, found.remaining) == ("t", "tenant", "acme", 0, 0)
        assert found.resets_at is not None


_ASKERS = {"user": "user_id", "session": "session_id", "conversation": "conversation_id", "workflow": "workflow_id"}


@pytest.mark.parametrize("scope", [*_ASKERS, "agent", "call_type", "tenant"])
def test_what_the_program_says_of_a_call_finds_its_budget(scope: str) -> None:
    """Two values of each scope: one is refused when its money is spent, the other has its own."""
    httpx = importlib.import_module("httpx")
    values = ("chat", "classification") if scope == "call_type" else ("one", "other")
    with budgeted({"name": "b", "scope": scope, "total": 100, "max_calls": 1}) as under:
        statuses = []
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            for value in (*values, values[0]):
                said: dict[str, Any] = {_ASKERS.get(scope, scope): value}
                with llmcost.context(**said):
                    statuses.append(client.post(URL, json=body()).status_code)
        assert statuses == [200, 200, 402]


@pytest.mark.parametrize("scope", ["label", "model", "provider", "call_type", "run"])
def test_what_a_call_is_finds_its_budget(scope: str) -> None:
    httpx = importlib.import_module("httpx")
    with (
        budgeted({"name": "b", "scope": scope, "total": 100, "max_calls": 1}) as under,
        httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client,
    ):
        assert [client.post(URL, json=body()).status_code for _ in range(2)] == [200, 402]


@pytest.mark.parametrize("ledger", [None, "memory://"])
def test_budgets_of_the_settings_file(ledger: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls fit a limit of two, the third does not; a second start finds what was spent where it is kept."""
    text = "" if ledger is None else f'ledger = "{ledger}"\n'
    text += '[[budgets]]\nname = "day"\nmax_calls = 2\ndaily = 5\n'
    (tmp_path / "llmcost.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    httpx = importlib.import_module("httpx")
    statuses = []
    for _ in range(2):
        with observed(store=tmp_path / "store") as seen:
            handler = httpx.MockTransport(lambda _: httpx.Response(200, content=answer()))
            with httpx.Client(transport=handler) as client:
                statuses.append([client.post(URL, json=body()).status_code for _ in range(3)])
            assert [call.budget_action for call in seen.calls][:1] == ["allow" if statuses[-1][0] == 200 else "block"]
    assert statuses == [[200, 200, 402], [402, 402, 402] if ledger is None else [200, 200, 402]]


def test_a_fallback_that_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    row = {"name": "day", "daily": 1, "fallbacks": {MODEL: ["claude-haiku-4-5"]}}
    with pytest.raises(llmcost.ConfigError, match="fallbacks: 'claude-haiku-4-5' cannot take the place"):
        llmcost.observe(budgets=[row], store=tmp_path)


def test_metrics_of_budgets_are_read_from_the_ledger() -> None:
    httpx = importlib.import_module("httpx")
    reader = InMemoryMetricReader()
    rows = [{"name": "all", "daily": 2}, {"name": "users", "scope": "user", "daily": 1}]
    rows.append({"name": "labels", "scope": "label", "total": 0})
    provider = MeterProvider(metric_readers=[reader])
    with observed(budgets=rows, ledger="memory://", meter_provider=provider, store=False):
        with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=answer()))) as client:
            with llmcost.context(user_id="u1"), llmcost.label("billing"):
                assert client.post(URL, json=body()).status_code == 402
            runtime.controller.book(Admission("c1", time.time(), MODEL), NANO)  # type: ignore[union-attr]
        data = reader.get_metrics_data()
    found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    for metric in [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]:  # type: ignore[union-attr]
        if metric.name.startswith("llmcost.budget."):
            points: Any = metric.data.data_points
            found[metric.name] = [(dict(point.attributes), point.value) for point in points]
    everything = {"llmcost.budget.name": "all", "llmcost.budget.scope": "global", "llmcost.budget.window": "daily"}
    label = {"llmcost.budget.name": "labels", "llmcost.budget.scope": "label", "llmcost.budget.window": "total"}
    label["llmcost.budget.value"] = "billing"
    assert found["llmcost.budget.limit"] == [(everything, 2.0), (label, 0.0)]
    assert found["llmcost.budget.spent"] == [(everything, NANO / 1e9), (label, 0.0)]
    assert found["llmcost.budget.used_ratio"][0][1] == pytest.approx(NANO / 2e9)
    decided = {"llmcost.budget.name": "labels", "llmcost.budget.action": "block", "llmcost.budget.would": "block"}
    assert found["llmcost.budget.decisions"] == [(decided, 1)]
    assert "u1" not in str(found)


def test_gauges_show_the_most_used_users_where_they_are_asked_for() -> None:
    """Each budget shows so many of its values, with all their windows; a value that is used more takes a place."""
    httpx = importlib.import_module("httpx")
    reader = InMemoryMetricReader()
    rows: list[dict[str, Any]] = [{"name": "users", "scope": "user", "daily": 1, "monthly": 20}]
    rows.append({"name": "tenants", "scope": "tenant", "total": 1})
    provider = MeterProvider(metric_readers=[reader])

    def shown() -> dict[tuple[str, str], list[float]]:
        found: dict[tuple[str, str], list[float]] = {}
        data = reader.get_metrics_data()
        for metric in [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]:  # type: ignore[union-attr]
            if metric.name == "llmcost.budget.spent":
                for point in metric.data.data_points:
                    what = point.attributes or {}
                    place = str(what["llmcost.budget.scope"]), str(what["llmcost.budget.value"])
                    found.setdefault(place, []).append(round(point.value * 1e9 / NANO))  # type: ignore[union-attr]
        return found

    settings: Any = {"budgets": rows, "ledger": "memory://", "meter_provider": provider, "store": False}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=answer()))
    with observed(**settings, metric_users=2), httpx.Client(transport=transport) as client:
        for user, calls in (("u1", 3), ("u2", 1), ("u3", 2)):
            with llmcost.context(user_id=user, tenant="acme"):
                for _ in range(calls):
                    client.post(URL, json=body())
        assert shown() == {("user", "u1"): [3, 3], ("user", "u3"): [2, 2], ("tenant", "acme"): [6]}
        with llmcost.context(user_id="u2"):
            for _ in range(2):
                client.post(URL, json=body())
        assert shown() == {("user", "u1"): [3, 3], ("user", "u2"): [3, 3], ("tenant", "acme"): [6]}


def test_a_threshold_is_told_once_on_span_log_and_callback(caplog: pytest.LogCaptureFixture) -> None:
    told: queue.SimpleQueue[float] = queue.SimpleQueue()  # callbacks run in threads, in any order

    def warn(context: EnforcementContext) -> None:
        told.put(context.pct_used)

    httpx = importlib.import_module("httpx")
    with budgeted({"name": "day", "daily": NANO / 1e9 * 10}, callbacks=Callbacks(on_budget_warning=warn)) as under:
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            for _ in range(9):
                assert client.post(URL, json=body(max_completion_tokens=100)).status_code == 200
        events = [[event.name for event in span.events] for span in under.seen.spans]
        assert events == [*[[]] * 7, ["llmcost.budget.warning"], ["llmcost.budget.warning"]]
        lines = [record.getMessage() for record in caplog.records if "budget 'day'" in record.getMessage()]
        assert len(lines) == 2
        assert sorted((told.get(timeout=60), told.get(timeout=60))) == [pytest.approx(0.8), pytest.approx(0.9)]


def test_streams_hold_until_they_end_and_failures_give_back() -> None:
    httpx = importlib.import_module("httpx")
    limit = 1
    with budgeted({"name": "day", "daily": limit, "bound": "strict"}) as under:
        gone = httpx.MockTransport(lambda request: (_ for _ in ()).throw(httpx.ConnectError("refused")))
        with httpx.Client(transport=gone) as client, pytest.raises(httpx.ConnectError):
            client.post(URL, json=body(max_completion_tokens=100))
        assert under.spent() == [(0, 0, 0)]
        error = httpx.MockTransport(lambda _: httpx.Response(500, json={"error": {"message": "no"}}))
        with httpx.Client(transport=error) as client:
            assert client.post(URL, json=body(max_completion_tokens=100)).status_code == 500
        assert under.spent() == [(0, 0, 1)]
        chunk = b'data: {"model": "gpt-5-mini", "choices": [{"delta": {"content": "words and more words"}}]}\n\n'
        stream = httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter([chunk] * 9))
        )
        with httpx.Client(transport=stream) as client:
            with client.stream("POST", URL, json=body(stream=True, max_completion_tokens=100)) as response:
                next(response.iter_raw())
                held = under.spent()[0]
                assert held[0] == 0
                assert held[1] > 100 * 2000
            spent = under.spent()[0]
        call = under.seen.calls[-1]
        assert call.cost.status == "partial"
        assert spent == (nano_dollars(call.cost.total or 0), 0, 2)
        assert spent[0] > 0


def test_a_strict_budget_names_the_field_that_would_bound_a_call() -> None:
    httpx = importlib.import_module("httpx")
    with budgeted({"name": "day", "daily": 1, "bound": "strict"}) as under:
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            assert client.post(URL, json=body()).status_code == 200  # 128,000 tokens of output cost $0.256 at most
            refused = client.post(URL, json={**body(), "model": "gpt-5"})  # $1.28
            tools = client.post(URL, json=body(max_completion_tokens=10, tools=[{"type": "web_search"}]))
            unknown = client.post(URL, json={**body(), "model": "nobody-knows-it"})
        assert (refused.status_code, tools.status_code, unknown.status_code) == (402, 402, 402)
        assert "this call does not fit" in refused.json()["error"]["message"]
        assert "nothing bounds this call's cost; set fewer tools" in tools.json()["error"]["message"]
        assert "'nobody-knows-it' has no known price" in unknown.json()["error"]["message"]


def test_a_signed_request_is_never_rewritten() -> None:
    httpx = importlib.import_module("httpx")
    row = {"name": "day", "daily": 1, "thresholds": {"warn": 0, "degrade": 0}, "fallbacks": {MODEL: ["gpt-5-nano"]}}
    signature = {"authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/bedrock/aws4_request"}
    with budgeted(row) as under:
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            client.post(URL, json=body(), headers=signature)
        assert json.loads(under.requests[0].content)["model"] == MODEL
        assert (under.seen.call.budget_action, under.seen.call.requested_model) == ("warn", None)


def test_a_model_in_the_url_is_rewritten_there() -> None:
    httpx = importlib.import_module("httpx")
    row = {"name": "day", "daily": 1, "thresholds": {"warn": 0, "degrade": 0}}
    row["fallbacks"] = {"gemini-2.5-pro": ["gemini-2.5-flash"]}
    url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent?key=k%2F1"
    with budgeted(row) as under:
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            client.post(url, json={"contents": [{"parts": [{"text": "Hi"}]}]})
        sent = str(under.requests[0].url)
        assert sent == url.replace("2.5-pro", "2.5-flash")
        assert under.seen.call.request_model == "gemini-2.5-flash"


def test_callbacks_are_heard_in_an_event_loop_and_the_most_severe_wins(post: Any) -> None:
    async def check(context: EnforcementContext) -> tuple[str, str]:
        return ("block", f"no more for {context.label}") if context.budget == "b" else ("warn", "careful")

    with budgeted({"name": "a", "daily": 1}, {"name": "b", "daily": 1}, callbacks=Callbacks(check)) as under:
        response = post(under)
        assert response.status_code == 402
        assert "no more for" in response.json()["error"]["message"]
        assert under.seen.call.budget_name == "b"


def test_a_replay_decides_call_by_call_as_the_enforced_run_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 5, 3.6: the same policy over the stored calls gives the same actions, models and money."""
    rows = [
        {"name": "users", "scope": "user", "daily": 0.004, "fallbacks": {MODEL: ["gpt-5-nano"]}},
        {"name": "all", "total": 0.03, "max_calls": 45, "thresholds": {"warn": 0.5}},
        {"name": "runs", "scope": "run", "max_repeats": 12},
    ]
    httpx = importlib.import_module("httpx")
    past: list[tuple[Admission, Verdict]] = []
    with budgeted(*rows) as under:
        ask = under.controller.admit

        def noted(admission: Admission) -> Verdict:
            past.append((admission, ask(admission)))
            return past[-1][1]

        monkeypatch.setattr(under.controller, "admit", noted)

        def respond(request: Any) -> Any:
            if b"broken" in request.content:
                return httpx.Response(500, json={"error": {"message": "broken"}})
            return httpx.Response(200, content=answer(json.loads(request.content)["model"]))

        with httpx.Client(transport=httpx.MockTransport(respond)) as client:
            for number in range(60):
                text = "broken" if number % 11 == 5 else f"question {number % 4}"
                message = [{"role": "user", "content": text}]
                with llmcost.context(user_id=f"u{number % 5}"):
                    client.post(URL, json=body(messages=message, max_completion_tokens=50 + 40 * (number % 7)))
        calls = under.seen.calls
        assert [call.id for call in calls] == [admission.call_id for admission, _ in past]
        stored = [
            PastCall(admission, cost_of(call), call.duration) for (admission, _), call in zip(past, calls, strict=True)
        ]
        replayed = list(replay(under.controller.budgets, stored))
    was = [(verdict.action, verdict.model, verdict.budget) for _, verdict in past]
    assert [(each.verdict.action, each.verdict.model, each.verdict.budget) for each in replayed] == was
    assert [each.spent or 0 for each in replayed] == [cost_of(call) or 0 for call in calls]
    assert {action for action, _, _ in was} == {"allow", "warn", "degrade", "block"}


def test_a_call_logged_by_hand_is_booked_and_refused_by_an_exception() -> None:
    rows = [{"name": "users", "scope": "user", "total": 0.01}]
    who: Any = {"provider": "openai", "model": MODEL}
    with observed(budgets=rows, ledger="memory://", store=False) as seen, llmcost.context(user_id="u1"):
        with llmcost.log_call(**who) as logged:
            logged.complete(cost=0.01)
        said = r"budget 'users' of user 'u1': \$0.01 of \$0.01"
        with pytest.raises(llmcost.BudgetExceeded, match=said) as raised, llmcost.log_call(**who):
            raise AssertionError("the block is not entered")

        async def later() -> None:
            async with llmcost.log_call(**who, estimated_cost=0.02):
                raise AssertionError("the block is not entered")

        with llmcost.context(user_id="u2"), pytest.raises(llmcost.BudgetExceeded):
            asyncio.run(later())
        controller = runtime.controller
        assert controller is not None
        (standing,) = controller.status.standings({"user": "u1"})
        assert (standing.spent, standing.calls) == (0.01, 1)
    found = refusal(raised.value)
    assert found is not None
    assert (found.budget, found.remaining) == ("users", 0)
    assert [call.budget_action for call in seen.calls] == ["allow", "block", "block"]
    assert [call.cost.status for call in seen.calls] == ["explicit", "not_billed", "not_billed"]
