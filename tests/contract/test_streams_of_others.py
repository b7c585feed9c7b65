"""SDKs' less usual ways to a response, and streams that nobody reads to the end (field cases 9 and 14)."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from contract.observed import Observed, observed
from e2e.loopback import Provider, serving
from e2e.sdks import IN, MESSAGES, OUT, SDKS

import llmcost

ROWS = {sdk.name: sdk for sdk in SDKS if sdk.name in ("openai", "anthropic")}


@dataclass(frozen=True)
class Surface:
    """Where an SDK offers what these tests use."""

    sdk: str
    client: Callable[[str], Any]
    resource: Callable[[Any], Any]
    options: dict[str, Any]


def _client(sdk: str, name: str, path: str) -> Callable[[str], Any]:
    return lambda url: getattr(importlib.import_module(sdk), name)(api_key="none", base_url=url + path)


def surface(sdk: str, name: str) -> Surface:
    """The row of one SDK, with its sync or async client."""
    options: dict[str, Any] = {"model": ROWS[sdk].model, "messages": MESSAGES}
    if sdk == "openai":
        return Surface(sdk, _client(sdk, name, "/v1"), lambda client: client.chat.completions, options)
    return Surface(sdk, _client(sdk, name, ""), lambda client: client.messages, {**options, "max_tokens": 300})


SYNC = [surface("openai", "OpenAI"), surface("anthropic", "Anthropic")]


@contextmanager
def asked(sdk: str) -> Iterator[tuple[Provider, Observed]]:
    with (
        serving(ROWS[sdk].server()) as server,
        observed(hosts={f"127.0.0.1:{server.port}": ROWS[sdk].provider}) as seen,
    ):
        yield server, seen


def raw(resource: Any, options: dict[str, Any]) -> list[Any]:
    response = resource.with_raw_response.create(**options)
    parsed = response.parse()
    again = response.parse()
    return [
        type(response), response.headers["content-type"], response.http_response.status_code, type(parsed),
        parsed.model_dump(), again.model_dump(), type(response.http_response), response.http_response.content,
    ]  # fmt: skip


def raw_stream(resource: Any, options: dict[str, Any]) -> list[Any]:
    response = resource.with_raw_response.create(**options, stream=True)
    parsed = response.parse()
    assert type(response.parse()) is type(parsed)
    return [type(response), response.headers["content-type"], type(parsed), [item.model_dump() for item in parsed]]


def streaming(resource: Any, options: dict[str, Any]) -> list[Any]:
    with resource.with_streaming_response.create(**options) as response:
        got = [type(response), response.headers["content-type"], type(response.http_response)]
        return [*got, b"".join(response.iter_bytes())]


def streaming_parsed(resource: Any, options: dict[str, Any]) -> list[Any]:
    with resource.with_streaming_response.create(**options) as response:
        return [response.parse().model_dump(), response.parse().model_dump()]


WAYS: list[Callable[[Any, dict[str, Any]], list[Any]]] = [raw, raw_stream, streaming, streaming_parsed]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("row", SYNC, ids=lambda row: row.sdk)
def test_the_program_gets_what_it_gets_without_llmcost(
    row: Surface, way: Callable[[Any, dict[str, Any]], list[Any]]
) -> None:
    with serving(ROWS[row.sdk].server()) as server, row.client(server.url) as client:
        expected = way(row.resource(client), row.options)
    with asked(row.sdk) as (server, seen), row.client(server.url) as client:
        assert way(row.resource(client), row.options) == expected
        llmcost.force_flush()
        assert len(server.requests) == 1
        assert (seen.call.outcome, seen.call.cost.status) == ("complete", "priced")
        assert (seen.call.usage.input_tokens, seen.call.usage.output_tokens) == (IN, OUT)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("row", SYNC, ids=lambda row: row.sdk)
def test_a_body_that_is_never_read_is_a_call_too(row: Surface, stream: bool) -> None:
    more = {"stream": True} if stream else {}
    with asked(row.sdk) as (server, seen), row.client(server.url) as client:
        with row.resource(client).with_streaming_response.create(**row.options, **more) as response:
            assert response.http_response.status_code == 200
        llmcost.force_flush()
        assert seen.call.cost.status == "partial"
        assert seen.call.cost.total is None or seen.call.cost.total > 0


# --- case 9 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_an_abandoned_async_generator_leaves_no_trace_in_the_context(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop closes it in another task than the one that began it."""
    row = surface(name, {"anthropic": "AsyncAnthropic", "openai": "AsyncOpenAI"}[name])

    async def chat(client: Any) -> AsyncIterator[str]:
        async for event in await row.resource(client).create(**row.options, stream=True):
            yield type(event).__name__

    async def program(url: str, seen: Observed) -> None:
        tracer = seen.provider.get_tracer("app")
        client = row.client(url)
        with tracer.start_as_current_span("app"):
            async for _ in chat(client):
                break
            with tracer.start_as_current_span("later"):
                pass
            gc.collect()
            for _ in range(3):
                await asyncio.sleep(0)
            with tracer.start_as_current_span("last"):
                pass
        await client.close()

    with asked(name) as (server, seen), caplog.at_level(logging.DEBUG):
        asyncio.run(program(server.url, seen))
        gc.collect()
        llmcost.force_flush()
        assert [record for record in caplog.records if record.name == "opentelemetry.context"] == []
        spans = {span.name: span for span in seen.spans}
        for later in ("later", "last"):
            parent = spans[later].parent
            assert parent is not None
            assert parent.span_id == spans["app"].get_span_context().span_id  # type: ignore[union-attr]
        assert seen.call.outcome in ("closed", "collected", "cancelled")
        assert seen.call.cost.status == "partial"
