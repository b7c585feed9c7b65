import asyncio
import itertools
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from llmcost.calls import Attribution, Call, Cost, Usage
from llmcost.processors.fan_out import FanOut
from llmcost.sections import context
from llmcost.sections.scope import ROOT, current
from llmcost.tracing.log_call import CallLog, Recorder


class Seen:
    """Collects calls, as a processor does."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def observe(self, call: Call, context: object = None) -> None:
        self.calls.append(call)


def attribute(frame: FrameType) -> Attribution:
    return Attribution(frame.f_code.co_name, "map", call_type=current().call_type, user_id=current().user_id)


def price(model: str, usage: Usage, provider: str) -> Cost:
    return Cost("priced", total=(usage.input_tokens or 0) / 1000, price_key=f"{provider}/{model}")


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def fan_out(seen: Seen) -> FanOut:
    return FanOut([seen])


@pytest.fixture
def log_call(fan_out: FanOut) -> CallLog:
    ticks = itertools.count(1)
    log = CallLog(
        Recorder(
            observe=fan_out,
            attribute=attribute,
            price=price,
            new_id=lambda started: f"id-{started}",
            now_ns=lambda: 5,
            clock=lambda: float(next(ticks)),
            run_id="run",
        )
    )
    fan_out.add(log)
    return log


def test_a_call_is_priced_by_its_usage(log_call: CallLog, seen: Seen) -> None:
    with context(user_id="u"), log_call(call_type="embedding", provider="x", model="y") as call:
        call.complete(input_tokens=2000, output_tokens=0, response_model="y-2", response_id="r")
    (made,) = seen.calls
    assert made.cost == Cost("priced", total=2.0, price_key="x/y-2")
    assert (made.id, made.started_ns, made.duration, made.run_id) == ("id-5", 5, 1.0, "run")
    assert (made.operation, made.call_type, made.provider, made.request_model) == ("embeddings", "embedding", "x", "y")
    assert (made.usage, made.response_id) == (Usage(input_tokens=2000, output_tokens=0), "r")
    assert made.label == "test_a_call_is_priced_by_its_usage"
    assert made.attribution.user_id == "u"
    assert current() is ROOT


def test_a_cost_given_by_hand_wins(log_call: CallLog, seen: Seen) -> None:
    with log_call(provider="x", model="y") as call:
        call.complete(Usage(input_tokens=1), cost=0.25)
    assert seen.calls[0].cost == Cost("explicit", total=0.25)


def test_zero_by_hand_is_a_cost_and_nothing_said_is_none(log_call: CallLog, seen: Seen) -> None:
    with log_call(provider="x", model="y") as call:
        call.complete(cost=0)
    with log_call(provider="x", model="y"):
        pass
    assert [made.cost.status for made in seen.calls] == ["explicit", "unpriced"]
    assert [made.cost.total for made in seen.calls] == [0.0, None]


def test_a_failure_is_recorded_and_passed_on(log_call: CallLog, seen: Seen) -> None:
    with pytest.raises(ConnectionError), log_call(provider="x", model="y"):
        raise ConnectionError("down")
    with pytest.raises(ValueError, match="after"), log_call(provider="x", model="y") as call:
        call.complete(input_tokens=1000)
        raise ValueError("after the answer")
    first, second = seen.calls
    assert (first.outcome, first.error_type, first.cost.status) == ("failed", "ConnectionError", "not_billed")
    assert (second.outcome, second.error_type, second.cost.total) == ("failed", "ValueError", 1.0)


def test_a_count_that_does_not_exist_is_an_error(log_call: CallLog) -> None:
    with log_call(provider="x", model="y") as call, pytest.raises(TypeError, match="inputs"):
        call.complete(inputs=1)


async def test_async_and_cancelled(log_call: CallLog, seen: Seen) -> None:
    async def work(started: Callable[[], Any]) -> None:
        async with log_call(provider="x", model="y", operation="rerank"):
            started()
            await asyncio.sleep(60)

    ready = asyncio.Event()
    task = asyncio.create_task(work(ready.set))
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (made,) = seen.calls
    assert (made.label, made.operation, made.outcome) == ("work", "rerank", "cancelled")


def test_a_call_that_a_hook_saw_inside_is_not_counted_twice(log_call: CallLog, seen: Seen, fan_out: FanOut) -> None:
    with log_call(call_type="rag_query", provider="x", model="y") as call:
        hooked = Call("h", 1, 1.0, "chat", "openai", "gpt", Usage(), Cost("priced", 1.0), attribute(_frame()))
        fan_out(hooked)
        call.complete(input_tokens=1000)
    assert seen.calls == [hooked]
    assert hooked.call_type == "rag_query"
    with log_call(provider="x", model="y") as call:
        call.complete(input_tokens=1000)
    assert len(seen.calls) == 2


def _frame() -> FrameType:
    import sys

    return sys._getframe(0)


def test_a_call_told_in_the_block_of_another_is_another(log_call: CallLog, seen: Seen) -> None:
    with log_call(provider="x", model="y") as outer:
        with log_call(provider="x", model="z") as inner:
            inner.complete(cost=1)
        outer.complete(cost=2)
    assert [made.cost.total for made in seen.calls] == [1, 2]
