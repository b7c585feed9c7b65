"""How long llmcost holds calls up: what counts, what does not, and how many calls are watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contract.budgeting import MODEL, URL, body
from contract.observed import Observed, observed
from contract.test_application_metrics import answer, points
from contract.test_clients import STREAM, Client
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from llmcost.calls import Call
from llmcost.exchange.engine import active
from llmcost.exchange.watch import EVERY, FIRST, Watch
from llmcost.runtime import runtime

NETWORK, PROGRAM, OURS = 1000.0, 100.0, 0.25


class Time:
    """Passes only where a test says so, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[float] = []

    def __call__(self) -> float:
        return self.now

    def watch(self) -> Watch:
        return Watch(self.told.append, self)

    def observe(self, call: Call, context: Context | None = None) -> None:
        """An observer of ours that takes its time."""
        self.now += OURS


@pytest.fixture
def time() -> Iterator[Time]:
    """Every call is watched, and its observer takes a quarter of a second."""
    made = Time()
    with observed():
        assert active.engine is not None
        active.engine.turn = lambda: made.watch
        runtime.observers.add(made)
        yield made


def client(time: Time, content: Any, status: int = 200) -> Any:
    httpx = pytest.importorskip("httpx")

    def respond(_: Any) -> Any:
        time.now += NETWORK
        if isinstance(content, BaseException):
            raise content
        kind = "application/json" if isinstance(content, bytes) else "text/event-stream"
        return httpx.Response(status, headers={"content-type": kind}, content=content)

    return httpx.Client(transport=httpx.MockTransport(respond))


def test_the_network_is_not_ours_and_the_observers_are(time: Time) -> None:
    with client(time, b'{"error": {"message": "no"}}', 400) as made:
        made.post(URL, json=body())
        made.post(URL, json=body())
    assert time.told == [OURS, OURS]


def test_nor_is_what_a_program_does_between_the_chunks_of_a_stream(time: Time) -> None:
    with client(time, iter(STREAM)) as made, made.stream("POST", URL, json={**body(), "stream": True}) as response:
        for _ in response.iter_raw():
            time.now += PROGRAM
    assert time.told == [OURS]


def test_a_call_that_fails_and_a_stream_that_is_left_are_told_once(time: Time) -> None:
    with pytest.raises(ConnectionError), client(time, ConnectionError("no network")) as made:
        made.post(URL, json=body())
    with client(time, iter(STREAM)) as made, made.stream("POST", URL, json={**body(), "stream": True}) as response:
        next(response.iter_raw())
    assert time.told == [OURS, OURS]


def test_asynchronous_code_is_watched_in_the_same_way(time: Time) -> None:
    httpx = pytest.importorskip("httpx")

    async def read(face: Any) -> None:
        response = await face.open()
        time.now += PROGRAM
        await face.read(response)

    Client(httpx, is_async=True).run(read, list(STREAM), **{"content-type": "text/event-stream"})
    assert time.told == [OURS]


@pytest.mark.parametrize(("requests", "watched"), [(FIRST - 1, 0), (FIRST, 1), (FIRST + 2 * EVERY, 3)])
def test_one_request_in_many_is_watched_and_others_than_calls_tell_nothing(requests: int, watched: int) -> None:
    httpx = pytest.importorskip("httpx")
    reader = InMemoryMetricReader()
    with observed(meter_provider=MeterProvider([reader])) as seen:
        with httpx.Client(transport=httpx.MockTransport(answer)) as made:
            for _ in range(requests):
                made.post(URL, json={"model": "gpt-5-mini", "messages": []})
        assert len(seen.calls) == requests
        found = points(reader).get("llmcost.call.overhead", [])
    assert sum(point.count for point in found) == watched
    assert all(0 < point.sum < 10 for point in found)


def test_requests_that_are_no_calls_are_not_told(time: Time) -> None:
    with client(time, b"{}") as made:
        made.get("https://example.org/")
    assert time.told == []


def test_a_watched_call_is_recorded_like_any_other() -> None:
    httpx = pytest.importorskip("httpx")
    with observed() as seen, httpx.Client(transport=httpx.MockTransport(answer)) as made:
        for _ in range(FIRST):
            made.post(URL, json={"model": MODEL, "messages": []})
    assert_alike(seen)


def assert_alike(seen: Observed) -> None:
    """The tenth was watched, the ninth was not."""
    first, second = seen.calls[-2:]
    assert (first.cost, first.usage, first.outcome) == (second.cost, second.usage, second.outcome)
    assert len(seen.spans) == FIRST
