"""Budgets of programs that run under trio: no event loop of asyncio is there, and trio's waits for no ledger."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.budgeting import NANO, URL, Budgeted, body, budgeted
from contract.observed import observed
from ledgers import BENCHES, RedisServer

import llmcost
from llmcost.control import Callbacks

trio = pytest.importorskip("trio")


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    def server() -> RedisServer:
        found: RedisServer = request.getfixturevalue("redis_server")
        return found

    return BENCHES[request.param](tmp_path, server).url


async def post(client: Any, **more: Any) -> int:
    response = await client.post(URL, json=body(max_completion_tokens=100, **more))
    return int(response.status_code)


def client_of(under: Budgeted) -> Any:
    return httpx.AsyncClient(transport=httpx.MockTransport(under.respond(httpx)))


async def many(under: Budgeted, calls: int) -> list[int]:
    statuses: list[int] = []

    async def one(client: Any) -> None:
        statuses.append(await post(client))

    async with client_of(under) as client, trio.open_nursery() as nursery:
        for _ in range(calls):
            nursery.start_soon(one, client)
    return sorted(statuses)


def test_a_budget_holds_over_tasks_of_trio(url: str) -> None:
    with budgeted({"name": "day", "max_calls": 5}, url=url) as under:
        assert trio.run(many, under, 20) == [200] * 5 + [402] * 15
        assert under.spent() == [(5 * NANO, 0, 5)]
        assert len(under.requests) == 5


def test_no_ledger_over_a_network_is_asked_in_trios_loop(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = BENCHES["redis"](tmp_path, lambda: redis_server).url
    with budgeted({"name": "day", "daily": 1}, url=url) as under:
        asked: set[int] = set()
        client = under.controller.ledger._inner._client  # type: ignore[attr-defined]
        evalsha = client.evalsha

        def noted(*arguments: Any) -> Any:
            asked.add(threading.get_ident())
            return evalsha(*arguments)

        monkeypatch.setattr(client, "evalsha", noted)
        assert trio.run(many, under, 20) == [200] * 20
        assert under.gate.books.settler.flush(10)
        assert asked
        assert threading.get_ident() not in asked
        assert under.spent() == [(20 * NANO, 0, 20)]


def test_a_task_of_trio_that_is_cancelled_while_it_is_sent_leaves_no_hold(url: str) -> None:
    async def cancelled(under: Budgeted) -> None:
        async def never(_: Any) -> Any:
            scope.cancel()
            await trio.sleep_forever()

        async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as client:
            with trio.CancelScope() as scope:
                await post(client)

    with budgeted({"name": "day", "daily": 1}, url=url) as under:
        trio.run(cancelled, under)
        ((_, held, calls),) = under.spent()
        assert (held, calls) == (0, 1)


@pytest.mark.parametrize("is_async", [False, True])
def test_callbacks_are_heard_under_trio(url: str, is_async: bool) -> None:
    async def later(ctx: Any) -> tuple[str, str]:
        return now(ctx)

    def now(ctx: Any) -> tuple[str, str]:
        return ("block", "no") if ctx.total_requests >= 2 else ("allow", "")

    callbacks = Callbacks(on_budget_check=later if is_async else now)

    async def one_by_one(under: Budgeted) -> list[int]:
        async with client_of(under) as client:
            return [await post(client) for _ in range(4)]

    with budgeted({"name": "day", "daily": 1}, url=url, callbacks=callbacks) as under:
        assert trio.run(one_by_one, under) == [200, 200, 402, 402]


def test_a_call_logged_by_hand_under_trio_is_held_and_refused(url: str) -> None:
    async def logged() -> None:
        who: Any = {"provider": "x", "model": "y", "estimated_cost": 0.01}
        async with llmcost.log_call(**who) as call:
            await trio.sleep(0)
            call.complete(cost=0.01)
        with pytest.raises(llmcost.BudgetExceeded):
            async with llmcost.log_call(**who):
                raise AssertionError("the block is not entered")

    with observed(budgets=[{"name": "all", "total": 0.015}], ledger=url, store=False):
        trio.run(logged)
