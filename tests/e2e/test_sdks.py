"""Real SDKs over sockets on loopback: each call is seen once, with its usage, also in streams and retries."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from contract.observed import Observed, observed
from e2e.loopback import Provider, serving
from e2e.sdks import IN, OUT, SDKS, Sdk

from llmcost import force_flush

pytestmark = pytest.mark.e2e


@contextmanager
def _asked(sdk: Sdk) -> Iterator[tuple[Provider, Observed]]:
    with serving(sdk.server()) as server, observed(hosts={f"127.0.0.1:{server.port}": sdk.provider}) as seen:
        yield server, seen


def _sync(sdk: Sdk, url: str) -> None:
    sdk.ask(url, sdk.model)


def _sync_stream(sdk: Sdk, url: str) -> None:
    assert list(sdk.ask_stream(url, sdk.model))


def _async(sdk: Sdk, url: str) -> None:
    asyncio.run(sdk.aask(url, sdk.model))  # type: ignore[arg-type]


def _async_stream(sdk: Sdk, url: str) -> None:
    async def read() -> int:
        return len([chunk async for chunk in sdk.aask_stream(url, sdk.model)])

    assert asyncio.run(read())


WAYS = (_sync, _sync_stream, _async, _async_stream)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_each_call_is_seen_once(sdk: Sdk, way: Callable[[Sdk, str], None]) -> None:
    with _asked(sdk) as (server, seen):
        way(sdk, server.url)
        force_flush()
        call = seen.call
        assert len(server.requests) == 1
        assert (call.provider, call.request_model, call.outcome) == (sdk.provider, sdk.model, "complete")
        assert (call.usage.input_tokens, call.usage.output_tokens) == (IN, OUT)
        assert call.stream == way.__name__.endswith("stream")
        if sdk.provider != "ollama":
            assert call.cost.status == "priced"
            assert (call.cost.total or 0) > 0
        spans = [span for span in seen.spans if "llmcost.call.id" in (span.attributes or {})]
        assert len(spans) == 1
        assert (spans[0].attributes or {}).get("llm.cost.total") == call.cost.total


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.retries], ids=lambda sdk: sdk.name)
def test_each_try_is_a_call(sdk: Sdk) -> None:
    with _asked(sdk) as (server, seen):
        server.refusals = 1
        sdk.ask(server.url, sdk.model)
        assert len(server.requests) == 2
        assert [call.cost.status for call in seen.calls] == ["not_billed", "priced"]
        assert [call.error_type is None for call in seen.calls] == [False, True]


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_a_stream_left_early_is_one_partial_call(sdk: Sdk) -> None:
    with _asked(sdk) as (server, seen):
        server.stalled = threading.Event()
        stream: Any = sdk.ask_stream(server.url, sdk.model)
        next(stream)
        stream.close()
        del stream
        gc.collect()
        force_flush()
        assert seen.call.outcome in ("closed", "collected")
        status, total = seen.call.cost.status, seen.call.cost.total
        assert (status, total) == (("priced", 0) if sdk.provider == "ollama" else ("partial", pytest.approx(total)))
        assert total is None or total > 0 or sdk.provider == "ollama"


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_a_cancelled_stream_is_one_call(sdk: Sdk) -> None:
    async def cancelled(url: str) -> None:
        arrived = asyncio.Event()

        async def read() -> None:
            async for _ in sdk.aask_stream(url, sdk.model):
                arrived.set()

        task = asyncio.create_task(read())
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with _asked(sdk) as (server, seen):
        server.stalled = threading.Event()
        asyncio.run(cancelled(server.url))
        gc.collect()
        force_flush()
        assert seen.call.outcome in ("cancelled", "closed", "collected")
