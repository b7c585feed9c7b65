"""Budgets of calls that no hook sees: they are held before they are made and settled when they end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from contract.budgeting import MODEL, NANO, URL, answer, body
from contract.observed import observed
from opentelemetry.context import get_current

import llmcost
from llmcost.runtime import runtime

MOCK = httpx.MockTransport(
    lambda _: httpx.Response(200, headers={"content-type": "application/json"}, content=answer())
)
HAND: Any = {"provider": "openai", "model": MODEL}


def standing() -> tuple[float, float, int]:
    """USD spent, USD held and calls of the only budget."""
    controller = runtime.controller
    assert controller is not None
    (found,) = controller.status.standings({})
    return round(found.spent, 9), round(found.held, 9), found.calls


def test_calls_logged_by_hand_hold_what_they_may_cost_until_they_end() -> None:
    rows = [{"name": "all", "total": 0.05, "bound": "strict"}]
    with observed(budgets=rows, ledger="memory://", store=False) as seen:
        with llmcost.log_call(**HAND, estimated_cost=0.03) as first:
            assert standing() == (0, 0.03, 1)
            with pytest.raises(llmcost.BudgetExceeded), llmcost.log_call(**HAND, estimated_cost=0.03):
                raise AssertionError("the block is not entered")
            first.complete(cost=0.01)
        assert standing() == (0.01, 0, 1)
        with llmcost.log_call(**HAND, estimated_cost=0.03):  # nothing is said of what it used
            pass
        assert standing() == (0.04, 0, 2)
        with pytest.raises(ConnectionError), llmcost.log_call(**HAND, estimated_cost=0.01):
            raise ConnectionError("down")
        assert standing() == (0.04, 0, 3)
        with pytest.raises(llmcost.BudgetExceeded, match="set estimated_cost"), llmcost.log_call(**HAND):
            raise AssertionError("the block is not entered")
    assert [call.budget_action for call in seen.calls] == ["block", "allow", "allow", "warn", "block"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "warn"),
        ({"unpriced": "allow"}, "allow"),
        ({"unpriced": "block"}, "block"),
        ({"bound": "strict"}, "block"),
        ({"mode": "observe", "unpriced": "block"}, "allow"),
    ],
)
def test_a_call_logged_by_hand_of_a_model_without_a_price_meets_the_rule_for_it(more: Any, said: str) -> None:
    unknown: Any = {"provider": "nobody", "model": "nobody-knows-it"}
    with observed(budgets=[{"name": "all", "total": 1, **more}], ledger="memory://", store=False) as seen:
        if said == "block":
            message = "'nobody-knows-it' has no known price; set estimated_cost"
            with pytest.raises(llmcost.BudgetExceeded, match=message), llmcost.log_call(**unknown):
                raise AssertionError("the block is not entered")
        else:
            with llmcost.log_call(**unknown) as call:
                call.complete(input_tokens=5, output_tokens=5)
        with llmcost.log_call(**unknown, estimated_cost=0.01) as call:  # its price is said
            call.complete(cost=0.01)
    assert [call.budget_action for call in seen.calls] == [said, "allow"]


def test_an_unpriced_call_logged_by_hand_does_not_pass_a_used_up_budget() -> None:
    """Its cost is told afterwards, so it is no free one; a model whose price the user sets to 0 is."""
    rows = [{"name": "all", "total": 0.01, "unpriced": "allow"}]
    prices = {"mine": {"input_cost_per_token": 0, "output_cost_per_token": 0, "mode": "chat"}}
    unknown: Any = {"provider": "nobody", "model": "nobody-knows-it"}
    with observed(budgets=rows, ledger="memory://", store=False, prices=prices):
        with llmcost.log_call(**unknown) as call:
            call.complete(cost=0.01)
        with pytest.raises(llmcost.BudgetExceeded, match=r"\$0.01 of \$0.01"), llmcost.log_call(**unknown):
            raise AssertionError("the block is not entered")
        with llmcost.log_call(provider="nobody", model="mine") as call:
            call.complete(input_tokens=5)
        assert standing() == (0.01, 0, 2)


def test_forty_calls_logged_by_hand_at_once_on_a_budget_of_five_are_five() -> None:
    made = []
    barrier = asyncio.Barrier(40)

    async def one() -> None:
        await barrier.wait()
        with contextlib.suppress(llmcost.BudgetExceeded):
            async with llmcost.log_call(**HAND, estimated_cost=0.01) as call:
                made.append(call)
                await asyncio.sleep(0)
                call.complete(cost=0.01)

    async def all_at_once() -> None:
        await asyncio.gather(*(one() for _ in range(40)))

    with observed(budgets=[{"name": "all", "total": 0.05, "bound": "strict"}], ledger="memory://", store=False):
        asyncio.run(all_at_once())
    assert len(made) == 5


def test_a_call_that_a_hook_sees_inside_a_logged_one_holds_and_counts_once() -> None:
    rows = [{"name": "all", "total": 0.001, "bound": "strict"}]
    with observed(budgets=rows, ledger="memory://", store=False) as seen, httpx.Client(transport=MOCK) as client:
        with llmcost.log_call(**HAND, estimated_cost=0.001):
            assert client.post(URL, json=body(max_completion_tokens=100)).status_code == 200
        assert [call.cost.total for call in seen.calls] == [NANO / 1e9]
        assert standing() == (NANO / 1e9, 0, 1)


def test_a_task_cancelled_while_a_logged_call_asks_leaves_nothing_behind() -> None:
    class Slow:
        async def later(self) -> None:
            await asyncio.sleep(60)

    async def given_up() -> object:
        before = get_current()
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            async with logged:
                raise AssertionError("the block is not entered")
        return before is get_current()

    with observed(store=False):
        logged = llmcost.log_call(**HAND)
        logged._asking = Slow  # type: ignore[assignment, method-assign]
        assert asyncio.run(given_up())
