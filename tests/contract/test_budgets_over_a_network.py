"""A ledger that is reached over a network: nobody waits for it in an event loop, and what is late refuses nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from contract.budgeting import MODEL, NANO, URL, Budgeted, body, budgeted

from llmcost.control import Controller
from llmcost.control.ledger import Entry, Refusal, Request, Reservation, State
from llmcost.control.ledger.memory import MemoryLedger
from llmcost.exchange.admission import Gate
from llmcost.exchange.engine import active


class FarLedger(MemoryLedger):
    """A ledger in memory that behaves as if it were far away, and minds who calls."""

    network = True

    def __init__(self) -> None:
        super().__init__()
        self.in_loop = 0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.refused = threading.Event()
        self.settles_after_a_refusal = False
        self.may_settle = threading.Event()
        self.may_settle.set()

    def _mind(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self.in_loop += 1

    def reserve(self, request: Request) -> Reservation | Refusal:
        self._mind()
        self.asked.set()
        assert self.may_answer.wait(30)
        answer = super().reserve(request)
        if isinstance(answer, Refusal):
            self.refused.set()
        return answer

    def settle(
        self, reservation: Reservation, actual: int, entries: Sequence[Entry] = (), calls: int = 1
    ) -> tuple[State, ...] | None:
        self._mind()
        if self.settles_after_a_refusal:
            assert self.refused.wait(30)
        assert self.may_settle.wait(30)
        return super().settle(reservation, actual, entries, calls)

    def release(self, reservation: Reservation) -> None:
        self._mind()
        super().release(reservation)


@contextmanager
def far(*rows: dict[str, Any]) -> Iterator[tuple[Budgeted, FarLedger]]:
    with budgeted(*rows) as under:
        ledger = FarLedger()
        engine = active.engine
        assert engine is not None
        under.controller = Controller(under.controller.budgets, ledger, series=())
        under.gate = engine.gate = Gate(under.controller, engine.prices)
        yield under, ledger
        under.gate.close()


async def post(under: Budgeted, **more: Any) -> int:
    async with httpx.AsyncClient(transport=httpx.MockTransport(under.respond(httpx))) as client:
        return (await client.post(URL, json=body(**{"max_completion_tokens": 100, **more}))).status_code


def test_nothing_of_a_call_waits_for_the_network_in_the_loop() -> None:
    async def many(under: Budgeted) -> list[int]:
        return await asyncio.gather(*(post(under) for _ in range(40)))

    with far({"name": "day", "daily": 1}) as (under, ledger):
        assert asyncio.run(many(under)) == [200] * 40
        assert under.spent() == [(40 * NANO, 0, 40)]
        assert ledger.in_loop == 0


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_not_booked_yet_refuses_no_call_of_the_same_process(is_async: bool) -> None:
    """The first call holds $0.00089 and costs $0.00065; the second holds $0.00035 and fits once the first is booked,
    which here happens only after it was refused."""

    async def later(under: Budgeted, tokens: tuple[int, int]) -> list[int]:
        return [await post(under, max_completion_tokens=each) for each in tokens]

    def now(under: Budgeted, tokens: tuple[int, int]) -> list[int]:
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            return [client.post(URL, json=body(max_completion_tokens=each)).status_code for each in tokens]

    with far({"name": "day", "total": 0.0011, "bound": "strict"}) as (under, ledger):
        ledger.settles_after_a_refusal = True
        statuses = asyncio.run(later(under, (420, 150))) if is_async else now(under, (420, 150))
        assert statuses == [200, 200]
        assert under.spent() == [(2 * NANO, 0, 2)]
        assert ledger.in_loop == 0


@pytest.mark.parametrize("is_async", [False, True])
def test_a_smaller_model_holds_its_money_also_where_booking_is_late(is_async: bool) -> None:
    """The second call is asked for anew only once the first is booked; as that takes too long, its first answer counts,
    and what it holds."""
    holds: list[int] = []

    def respond(under: Budgeted, ledger: FarLedger) -> Any:
        def handle(request: httpx.Request) -> Any:
            if holds:
                ledger.may_settle.set()
                under.gate.books.settler.flush(10)
            holds.append(len(ledger._holds))
            return under.respond(httpx)(request)

        return httpx.MockTransport(handle)

    async def later(transport: Any) -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(2):
                await client.post(URL, json=body(max_completion_tokens=420))

    def now(transport: Any) -> None:
        with httpx.Client(transport=transport) as client:
            for _ in range(2):
                client.post(URL, json=body(max_completion_tokens=420))

    row: dict[str, Any] = {"name": "day", "total": 0.0015, "thresholds": {"warn": 0.5, "degrade": 0.5}}
    row["fallbacks"] = {MODEL: ["gpt-5-nano"]}
    with far({**row, "bound": "strict"}) as (under, ledger):
        ledger.may_settle.clear()
        transport = respond(under, ledger)
        if is_async:
            asyncio.run(later(transport))
        else:
            now(transport)
        assert [call.budget_action for call in under.seen.calls] == ["allow", "degrade"]
        assert holds == [1, 1]
        assert under.spent()[0][1:] == (0, 2)


def test_a_program_that_gives_up_while_budgets_are_asked_leaves_no_hold() -> None:
    async def given_up(under: Budgeted, ledger: FarLedger) -> None:
        ledger.may_answer.clear()
        task = asyncio.create_task(post(under))
        await asyncio.to_thread(ledger.asked.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ledger.may_answer.set()

    with far({"name": "day", "daily": 1}) as (under, ledger):
        asyncio.run(given_up(under, ledger))  # its end waits for the thread
        assert under.requests == []
        assert under.spent() == [(0, 0, 0)]
        assert ledger.in_loop == 0
