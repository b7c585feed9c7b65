"""The user's own say: sync and async, with a deadline; the most severe answer wins, a failure never allows."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from ledgers import START, Clock

from llmcost.control import Admission, Budget, CallbackRunner, Callbacks, Controller, EnforcementContext, Quote, Verdict
from llmcost.control.ledger.memory import MemoryLedger

NANO = 10**9
_ids = count()
who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


def call(usd: float = 1, **values: str) -> Admission:
    quote = Quote("priced", int(usd * NANO), int(usd * NANO))
    small = Quote("priced", int(usd * NANO / 10), int(usd * NANO / 10))
    return Admission(f"c{next(_ids)}", START, "large", values, quote, lambda _: small)


def engine(callbacks: Callbacks, **budget: Any) -> Controller:
    settings: dict[str, Any] = {"name": "b", "daily": 10, "fallbacks": {"large": ("small", "tiny")}} | budget
    return Controller([Budget(**settings)], MemoryLedger(Clock()), callbacks, runner=CallbackRunner(0.2))


def admit(controller: Controller, admission: Admission, *, in_loop: bool) -> Verdict:
    if in_loop:
        return asyncio.run(controller.admit_async(admission))
    return controller.admit(admission)


def as_async(function: Callable[..., Any]) -> Callable[..., Any]:
    async def later(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return function(*arguments)

    return later


both_ways = pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "loop"])
both_kinds = pytest.mark.parametrize("kind", [lambda function: function, as_async], ids=["sync", "async"])


@both_ways
@both_kinds
@pytest.mark.parametrize(
    ("said", "action"),
    [
        (("block", "no"), "block"),
        ("BLOCK", "block"),
        (("warn", "careful"), "warn"),
        (("degrade", ""), "degrade"),
        (("allow", ""), "allow"),
        (None, "allow"),
    ],
)
def test_the_answer_counts(kind: Callable[..., Any], in_loop: bool, said: Any, action: str) -> None:
    controller = engine(Callbacks(on_budget_check=kind(lambda _: said)))
    verdict = admit(controller, call(), in_loop=in_loop)
    assert verdict.action == action
    assert verdict.model == ("small" if action == "degrade" else None)
    if action != "block":
        assert verdict.reservation is not None
    if said == ("block", "no"):
        assert verdict.message == "budget 'b': no"


@both_ways
def test_the_most_severe_of_policy_and_callback_wins(in_loop: bool) -> None:
    """In a forerunner a rule that warned was heard before one that blocked, and the call went out at 150 %."""
    controller = engine(Callbacks(on_budget_check=lambda _: ("allow", "fine")), fallbacks={})
    controller.settle(controller.admit(call(10)), 10 * NANO)
    assert admit(controller, call(), in_loop=in_loop).action == "block"
    controller = engine(Callbacks(on_budget_check=lambda _: ("warn", "hm")), fallbacks={})
    controller.settle(controller.admit(call(10)), 10 * NANO)
    assert admit(controller, call(), in_loop=in_loop).action == "block"


def raises(_: object) -> None:
    raise RuntimeError("broken")


def hangs(_: object) -> None:
    threading.Event().wait(3)


async def hangs_in_loop(_: object) -> None:
    await asyncio.Event().wait()


@both_ways
@pytest.mark.parametrize("callback", [raises, as_async(raises), hangs, hangs_in_loop, lambda _: "maybe", lambda _: 7])
@pytest.mark.parametrize(("rule", "action"), [("block", "block"), ("allow", "allow")])
def test_a_callback_that_fails_follows_the_rule(
    callback: Callable[..., Any], rule: str, action: str, in_loop: bool
) -> None:
    controller = engine(Callbacks(on_budget_check=callback), on_failure=rule)
    began = time.monotonic()
    verdict = admit(controller, call(), in_loop=in_loop)
    assert time.monotonic() - began < 2
    assert verdict.action == action
    assert verdict.decisions[0].cause == "callback"
    assert "the callback failed" in verdict.decisions[0].message


@both_ways
@both_kinds
def test_models_can_be_filtered(kind: Callable[..., Any], in_loop: bool) -> None:
    seen: list[tuple[EnforcementContext, list[str]]] = []

    def tiers(context: EnforcementContext, models: list[str]) -> list[str]:
        seen.append((context, list(models)))
        return [model for model in models if model != "large"]

    controller = engine(Callbacks(on_model_filter=kind(tiers)))
    verdict = admit(controller, call(user="u1"), in_loop=in_loop)
    assert (verdict.action, verdict.model) == ("degrade", "small")
    assert seen[0][1] == ["large", "small", "tiny"]
    none_left = engine(Callbacks(on_model_filter=kind(lambda *_: [])))
    assert admit(none_left, call(), in_loop=in_loop).action == "block"
    no_opinion = engine(Callbacks(on_model_filter=kind(lambda *_: None)))
    assert admit(no_opinion, call(), in_loop=in_loop).action == "allow"
    failing = engine(Callbacks(on_model_filter=kind(lambda *_: "large")), on_failure="block")
    assert admit(failing, call(), in_loop=in_loop).action == "block"


def test_the_context_tells_the_tightest_window() -> None:
    seen: list[EnforcementContext] = []
    controller = engine(
        Callbacks(on_budget_check=lambda context: seen.append(context)), scope="user", monthly=100, daily=10
    )
    controller.settle(controller.admit(call(4, user="u1", label="chat")), 4 * NANO)
    controller.admit(call(1, user="u1", label="chat"))
    assert seen[1] == EnforcementContext(
        user_id="u1",
        budget="b",
        limit=10,
        remaining=6,
        used=4,
        pct_used=0.4,
        current_cost=1,
        total_requests=1,
        window="daily",
        resets_at=START - 8 * 3600 + 86_400,
        label="chat",
        model="large",
        scope="user",
        value="u1",
    )


@both_ways
def test_warnings_call_back_and_nobody_waits(in_loop: bool) -> None:
    told: list[EnforcementContext] = []
    came = threading.Event()

    def warned(context: EnforcementContext) -> None:
        told.append(context)
        came.set()

    controller = engine(Callbacks(on_budget_warning=warned), mode="warn")
    for _ in range(8):
        verdict = admit(controller, call(), in_loop=in_loop)
        controller.settle(verdict, NANO)
    assert came.wait(5)
    assert [(context.budget, context.used) for context in told] == [("b", 8.0)]


@both_ways
@both_kinds
def test_callbacks_see_the_callers_context(kind: Callable[..., Any], in_loop: bool) -> None:
    seen: list[str] = []
    controller = engine(Callbacks(on_budget_check=kind(lambda _: seen.append(who.get()))))
    token = who.set("somebody")
    try:
        admit(controller, call(), in_loop=in_loop)
    finally:
        who.reset(token)
    assert seen == ["somebody"]


def test_the_loop_goes_on_while_a_callback_or_a_network_is_waited_for() -> None:
    class Slow(MemoryLedger):
        network = True

        def reserve(self, request: Any) -> Any:
            slow_in.append(threading.current_thread())
            return super().reserve(request)

    slow_in: list[threading.Thread] = []
    controller = Controller([Budget(name="b", daily=10)], Slow(Clock()))

    async def main() -> None:
        await controller.admit_async(call())

    asyncio.run(main())
    assert slow_in
    assert slow_in[0] is not threading.main_thread()
