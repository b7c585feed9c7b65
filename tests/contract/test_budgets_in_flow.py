"""Budgets on the path of a call: admitted, refused, rewritten, settled, in every hooked client."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from contract.budgeting import MODEL, NANO, URL, Budgeted, body, budgeted

import llmcost
from llmcost.exchange.refusal import refusal


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
