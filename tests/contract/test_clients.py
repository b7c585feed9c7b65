"""Every hooked client, sync and async, through every way that a response can be read and ended."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from contract.observed import Observed, observed

URL = "https://api.openai.com/v1/chat/completions"
REQUEST = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Say hello"}]}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-mini-2025-08-07",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
COST = (1000 * 0.25 + 200 * 2.0) / 1e6


def event(**fields: Any) -> bytes:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5-mini-2025-08-07", **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def words(n: int) -> list[bytes]:
    return [event(choices=[{"index": 0, "delta": {"content": "word "}}]) for _ in range(n)]


STREAM = [
    *words(18),
    event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    event(choices=[], usage=USAGE),
    b"data: [DONE]\n\n",
]


class Boom(Exception):
    """An error of the network or of the program."""


class Client:
    """One client of the table, driven the same way whether it is synchronous or not."""

    def __init__(self, module: ModuleType, is_async: bool) -> None:
        self.module = module
        self.is_async = is_async

    def run(self, work: Callable[[Any], Awaitable[Any]], parts: list[bytes | BaseException], **head: Any) -> Any:
        """Run ``work`` with a client whose server answers with ``parts``."""
        return asyncio.run(self._run(work, parts, head))

    async def _run(
        self, work: Callable[[Any], Awaitable[Any]], parts: list[bytes | BaseException], head: dict[str, Any]
    ) -> Any:
        module, status = self.module, head.pop("status", 200)
        headers = {"content-type": "application/json", **head}

        def sync_body() -> Iterator[bytes]:
            for part in parts:
                if isinstance(part, BaseException):
                    raise part
                yield part

        async def async_body() -> AsyncIterator[bytes]:
            for part in sync_body():
                await asyncio.sleep(0)
                yield part

        def answer(request: Any) -> Any:
            if parts and isinstance(parts[0], BaseException):
                raise parts[0]
            return module.Response(status, headers=headers, content=async_body() if self.is_async else sync_body())

        transport = module.MockTransport(answer)
        if self.is_async:
            async with module.AsyncClient(transport=transport) as client:
                return await work(AsyncFace(client))
        with module.Client(transport=transport) as client:
            return await work(SyncFace(client))


class SyncFace:
    """The few things a program does with a client, awaitable so that tests are written once."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def post(self, **body: Any) -> Any:
        return self.client.post(URL, json={**REQUEST, **body})

    async def open(self, **body: Any) -> Any:
        request = self.client.build_request("POST", URL, json={**REQUEST, "stream": True, **body})
        return self.client.send(request, stream=True)

    async def read(self, response: Any, limit: int | None = None) -> bytes:
        out = b""
        for number, chunk in enumerate(response.iter_raw(), 1):
            out += chunk
            if number == limit:
                break
        return out

    async def close(self, response: Any) -> None:
        response.close()


class AsyncFace:
    """The same for an asynchronous client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def post(self, **body: Any) -> Any:
        return await self.client.post(URL, json={**REQUEST, **body})

    async def open(self, **body: Any) -> Any:
        request = self.client.build_request("POST", URL, json={**REQUEST, "stream": True, **body})
        return await self.client.send(request, stream=True)

    async def read(self, response: Any, limit: int | None = None) -> bytes:
        out = b""
        number = 0
        async for chunk in response.aiter_raw():
            out += chunk
            number += 1
            if number == limit:
                break
        return out

    async def close(self, response: Any) -> None:
        await response.aclose()


@pytest.fixture(params=["httpx", "httpx-async", "httpx2", "httpx2-async"])
def client(request: pytest.FixtureRequest) -> Client:
    name, _, kind = request.param.partition("-")
    return Client(importlib.import_module(name), kind == "async")


@pytest.fixture
def seen() -> Iterator[Observed]:
    with observed() as collected:
        yield collected


def test_json_is_one_priced_call(client: Client, seen: Observed) -> None:
    async def work(face: Any) -> bytes:
        return (await face.post()).content  # type: ignore[no-any-return]

    body = json.dumps(ANSWER).encode()
    assert client.run(work, [body[:50], body[50:]]) == body
    call = seen.call
    assert (call.operation, call.provider, call.request_model) == ("chat", "openai", "gpt-5-mini")
    assert (call.usage.input_tokens, call.usage.output_tokens) == (1000, 200)
    assert call.cost.status == "priced"
    assert call.cost.total == pytest.approx(COST, abs=1e-15)
    attributes = seen.span.attributes or {}
    assert seen.span.name == "chat gpt-5-mini"
    assert attributes["llm.cost.total"] == pytest.approx(COST, abs=1e-15)
    assert attributes["gen_ai.response.id"] == "chatcmpl-1"


def test_stream_read_to_the_end(client: Client, seen: Observed) -> None:
    async def work(face: Any) -> bytes:
        return await face.read(await face.open())  # type: ignore[no-any-return]

    assert client.run(work, list(STREAM), **{"content-type": "text/event-stream"}) == b"".join(STREAM)
    call = seen.call
    assert (call.outcome, call.cost.status, call.stream) == ("complete", "priced", True)
    assert call.cost.total == pytest.approx(COST, abs=1e-15)
    assert call.time_to_first_chunk is not None


async def _closed(face: Any) -> None:
    response = await face.open()
    await face.read(response, limit=3)
    await face.close(response)


async def _never_iterated(face: Any) -> None:
    await face.close(await face.open())


async def _dropped(face: Any) -> None:
    response = await face.open()
    await face.read(response, limit=3)
    del response
    gc.collect()


async def _raising(face: Any) -> None:
    response = await face.open()
    try:
        await face.read(response, limit=3)
        raise Boom("the program's own")
    finally:
        await face.close(response)


@pytest.mark.parametrize("way", [_closed, _never_iterated, _dropped, _raising])
def test_stream_left_early(client: Client, seen: Observed, way: Callable[[Any], Awaitable[None]]) -> None:
    try:
        client.run(way, list(STREAM), **{"content-type": "text/event-stream"})
    except Boom:
        assert way is _raising
    gc.collect()
    from llmcost import instrumentor

    instrumentor.force_flush()
    call = seen.call
    assert call.cost.status == "partial"
    assert call.cost.total is None or call.cost.total > 0
    assert call.outcome in ("closed", "collected")
    assert len(seen.spans) == 1


def test_stream_that_fails_raises_the_same_error(client: Client, seen: Observed) -> None:
    boom = Boom("connection lost")

    async def work(face: Any) -> None:
        await face.read(await face.open())

    with pytest.raises(Boom) as caught:
        client.run(work, [*STREAM[:5], boom], **{"content-type": "text/event-stream"})
    assert caught.value is boom
    assert (seen.call.outcome, seen.call.cost.status) == ("failed", "partial")
    assert (seen.call.error_type or "").endswith("Boom")


def test_failed_send_raises_the_same_error(client: Client, seen: Observed) -> None:
    boom = client.module.ConnectError("refused")

    async def work(face: Any) -> None:
        await face.post()

    with pytest.raises(client.module.ConnectError) as caught:
        client.run(work, [boom])
    assert caught.value is boom
    assert (seen.call.outcome, seen.call.cost.status) == ("failed", "not_billed")
    assert seen.call.cost.total is None


@pytest.mark.parametrize("status", [400, 401, 429, 500, 502])
def test_refused_requests_cost_nothing(client: Client, seen: Observed, status: int) -> None:
    async def work(face: Any) -> int:
        return (await face.post()).status_code  # type: ignore[no-any-return]

    body = b'{"error": {"message": "no", "type": "some_error", "code": "some_code"}}'
    assert client.run(work, [body], status=status) == status
    assert seen.call.cost.status == "not_billed"
    assert seen.call.error_type in ("some_error", "some_code", str(status))


def test_html_error_body_is_no_fault_of_ours(client: Client, seen: Observed) -> None:
    async def work(face: Any) -> str:
        return (await face.post()).text  # type: ignore[no-any-return]

    page = b"<html>502 Bad Gateway</html>"
    assert client.run(work, [page], status=502, **{"content-type": "text/html"}) == page.decode()
    assert seen.call.error_type == "502"


def test_other_hosts_are_no_calls(client: Client, seen: Observed) -> None:
    async def work(face: Any) -> None:
        call = face.client.get("https://example.org/v1/chat")
        if asyncio.iscoroutine(call):
            await call

    client.run(work, [b"{}"])
    assert (seen.calls, seen.spans) == ([], ())


def test_cancelled_stream(seen: Observed) -> None:
    client = Client(importlib.import_module("httpx"), True)

    async def work(face: Any) -> None:
        response = await face.open()
        started = asyncio.Event()

        async def reader() -> None:
            async for _ in response.aiter_raw():
                started.set()

        task = asyncio.create_task(reader())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    client.run(work, list(STREAM), **{"content-type": "text/event-stream"})
    assert (seen.call.outcome, seen.call.cost.status) == ("cancelled", "partial")


def test_hooks_are_taken_out_whole() -> None:
    for name in ("httpx", "httpx2"):
        module = importlib.import_module(name)
        before = module.Client.send, module.AsyncClient.send
        with observed():
            assert module.Client.send is not before[0]
        assert (module.Client.send, module.AsyncClient.send) == before


def test_hooks_under_another_patcher_pass_calls_on() -> None:
    httpx = importlib.import_module("httpx")
    original = httpx.Client.send
    try:
        with observed() as first:
            ours = httpx.Client.send

            def patched(self: Any, request: Any, **kwargs: Any) -> Any:
                return ours(self, request, **kwargs)

            httpx.Client.send = patched
        client = Client(httpx, False)

        async def work(face: Any) -> None:
            await face.post()

        client.run(work, [json.dumps(ANSWER).encode()])
        assert first.calls == []
        with observed() as second:
            client.run(work, [json.dumps(ANSWER).encode()])
        assert len(second.calls) == 1
    finally:
        httpx.Client.send = original
