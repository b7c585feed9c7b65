"""Streams that a program gives up: whatever ends one, its hold goes back and what came is booked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from contract.budgeting import URL, body, budgeted

from llmcost.calls import nano_dollars
from llmcost.exchange.engine import active

CHUNK = b'data: {"model": "gpt-5-mini", "choices": [{"delta": {"content": "words and more words"}}]}\n\n'


class Endless(httpx.AsyncByteStream):
    """Chunks that never end; after the third the provider takes its time."""

    def __init__(self) -> None:
        self.slow = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield CHUNK
        self.slow.set()
        await asyncio.Event().wait()


async def _closed(client: httpx.AsyncClient, _: Endless) -> None:
    request = client.build_request("POST", URL, json=body(stream=True, max_completion_tokens=100))
    chunks = (await client.send(request, stream=True)).aiter_raw()
    for _number in range(3):
        await anext(chunks)
    await chunks.aclose()  # type: ignore[attr-defined]


async def _read(client: httpx.AsyncClient) -> None:
    async with client.stream("POST", URL, json=body(stream=True, max_completion_tokens=100)) as response:
        async for _ in response.aiter_raw():
            pass


async def _cancelled(client: httpx.AsyncClient, stream: Endless) -> None:
    task = asyncio.create_task(_read(client))
    await stream.slow.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _timed_out(client: httpx.AsyncClient, stream: Endless) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:
            task = asyncio.ensure_future(stream.slow.wait())
            task.add_done_callback(lambda _: limit.reschedule(asyncio.get_running_loop().time()))
            await _read(client)


async def _dropped(client: httpx.AsyncClient, _: Endless) -> None:
    request = client.build_request("POST", URL, json=body(stream=True, max_completion_tokens=100))
    response = await client.send(request, stream=True)
    async for _chunk in response.aiter_raw():
        break


Way = Callable[[httpx.AsyncClient, Endless], Awaitable[None]]
WAYS: tuple[Way, ...] = (_closed, _cancelled, _timed_out)


async def given_up(way: Way) -> None:
    stream = Endless()
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as client:
        await way(client, stream)


def test_200_streams_that_are_given_up_hold_nothing_and_count_what_came() -> None:
    """B4: by cancelling the task, closing the iterator, a time limit; one is dropped and never closed."""

    async def all_of_them() -> None:
        for number in range(200):
            await given_up(_dropped if number == 100 else WAYS[number % len(WAYS)])

    with budgeted({"name": "day", "daily": 1, "bound": "strict"}) as under:
        asyncio.run(all_of_them())
        gc.collect()
        assert active.engine is not None
        active.engine.drain()
        calls = under.seen.calls
        assert [call.cost.status for call in calls] == ["partial"] * 200
        assert all(call.cost.total for call in calls)
        spent = sum(nano_dollars(call.cost.total or 0) for call in calls)
        assert under.spent() == [(spent, 0, 200)]
        with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
            assert client.post(URL, json=body(max_completion_tokens=100)).status_code == 200
