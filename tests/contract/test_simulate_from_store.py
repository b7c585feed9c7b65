"""Issue 5, 3.6: what ``llmcost budget simulate`` says of stored calls is what an enforced run did, call by call."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.observed import observed

import llmcost
from llmcost.calls import Call
from llmcost.control import Budget, Limits, Replayed, Thresholds, enforced, replay
from llmcost.exchange.engine import Clock, active
from llmcost.exchange.held import cost_of
from llmcost.pricing import PriceBook, PriceSources
from llmcost.runtime import runtime
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.fold import fold
from llmcost.store.listing import by_start
from llmcost.store.past import Past
from llmcost.store.paths import StoreFolder

URL = "https://api.openai.com/v1/chat/completions"
CALLS = 240
POLICY = (
    Budget(name="unpriced", scope="tenant", total=1, unpriced="block"),
    Budget(
        name="users",
        scope="user",
        rolling={"24h": 0.03},
        fallbacks={"gpt-5-mini": ("gpt-5-nano",)},
        overrides={"u3": Limits(rolling={"24h": 0.004})},
    ),
    Budget(name="all", total=0.09, max_calls=100, thresholds=Thresholds(warn=0.5)),
    Budget(name="labels", scope="label", total=0.025, bound="strict"),
    Budget(name="run", scope="run", max_repeats=12, max_depth=3),
)


@dataclass(frozen=True)
class Plan:
    """One call of the program, the same in every run of it."""

    user: str
    label: str
    model: str
    text: str
    most: int
    depth: int
    stream_for: int
    tokens: int


def program() -> list[Plan]:
    chance = random.Random(5)
    return [
        Plan(
            user=f"u{chance.randint(1, 5)}",
            label=chance.choice(["chat", "summary", "search"]),
            model=chance.choice(["gpt-5-mini"] * 6 + ["gpt-5-nano", "nobody-knows-it"]),
            text=chance.choice([f"question {number}"] * 8 + ["again", "broken", "gone"]),
            most=chance.choice([50, 400, 2_000]),
            depth=chance.choice([1, 2, 2, 2, 2, 2, 2, 4]),
            stream_for=chance.choice([0, 0, 3, 9]),
            tokens=chance.randint(50, 900),
        )
        for number in range(CALLS)
    ]


def respond(request: httpx.Request) -> httpx.Response:
    """The provider: the length of an answer is told by the request, and some requests fail."""
    asked = json.loads(request.content)
    if "gone" in asked["messages"][0]["content"]:
        raise httpx.ConnectError("refused")
    if "broken" in asked["messages"][0]["content"]:
        return httpx.Response(500, json={"error": {"message": "broken"}})
    tokens = asked["metadata"]["tokens"]
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": 2 * tokens}
    document = {
        "id": "c",
        "model": asked["model"],
        "usage": usage,
        "choices": [{"index": 0, "delta": {"content": "x"}}],
    }
    if not asked.get("stream"):
        return httpx.Response(200, json=document)
    lines = f"data: {json.dumps(document)}\n\ndata: [DONE]\n\n".encode()
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter([lines]))


def run(budgets: Sequence[Budget], folder: Path) -> list[Call]:
    """Run the program under budgets; streams stay open while later calls are made. Returns the stored calls."""
    waiting: list[tuple[int, ExitStack]] = []
    settings: Any = {"store": folder, "foresight": "off", "metrics": False, "ledger": "memory://"}
    with observed(budgets=list(budgets), **settings), httpx.Client(transport=httpx.MockTransport(respond)) as client:
        for number, plan in enumerate(program()):
            while waiting and waiting[0][0] <= number:
                waiting.pop(0)[1].close()
            with ExitStack() as around:
                around.enter_context(llmcost.context(user_id=plan.user, tenant="t"))
                around.enter_context(llmcost.label(plan.label))
                for level in range(plan.depth):
                    around.enter_context(llmcost.section(f"agent:{level}"))
                waiting += send(client, plan, number)
            waiting.sort(key=lambda entry: entry[0])
        for _, stream in waiting:
            stream.close()
        runtime.force_flush()
    return stored(folder)


def send(client: httpx.Client, plan: Plan, number: int) -> list[tuple[int, ExitStack]]:
    body: dict[str, Any] = {
        "model": plan.model,
        "messages": [{"role": "user", "content": plan.text}],
        "max_completion_tokens": plan.most,
        "metadata": {"tokens": plan.tokens},
    }
    stream = ExitStack()
    try:
        if not plan.stream_for:
            client.post(URL, json=body)
            return []
        request = client.build_request("POST", URL, json={**body, "stream": True})
        response = client.send(request, stream=True)
        stream.callback(response.close)
        stream.callback(response.read)
    except httpx.ConnectError:
        return []
    return [(number + plan.stream_for, stream)]


def stored(folder: Path) -> list[Call]:
    fold(StoreFolder(folder))
    with reading(StoreFolder(folder)) as connection:
        return list(by_start(connection, Filter()))


def replayed(budgets: Sequence[Budget], calls: Sequence[Call], past: Past) -> list[Replayed]:
    return list(replay(budgets, past.calls(calls)))


@pytest.fixture(scope="module")
def past() -> Past:
    return Past(PriceBook(PriceSources()))


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    return run(POLICY, tmp_path_factory.mktemp("refusing") / ".llmcost")


def of_run(calls: Sequence[Call]) -> list[tuple[str, str | None, str | None]]:
    return [(call.budget_action, call.requested_model and call.request_model, call.budget_name) for call in calls]


def of_replay(rows: Sequence[Replayed]) -> list[tuple[str, str | None, str | None]]:
    return [(row.verdict.action, row.verdict.model, row.verdict.budget) for row in rows]


def test_a_shadow_tells_beforehand_what_the_policy_does(refusing: list[Call], past: Past, tmp_path: Path) -> None:
    """The same program once under ``mode = "observe"``: its store, replayed, gives the run in which budgets refuse."""
    shadow = [llmcost.Budget(**{**_fields(budget), "mode": "observe"}) for budget in POLICY]
    observed_only = run(shadow, tmp_path / ".llmcost")
    assert {call.budget_action for call in observed_only} == {"allow"}
    rows = replayed(enforced(shadow), observed_only, past)
    assert of_replay(rows) == of_run(refusing)
    # A call without a price has no known cost in either run.
    assert [row.spent or 0 for row in rows] == [cost_of(call) or 0 for call in refusing]
    assert {action for action, _, _ in of_run(refusing)} == {"allow", "warn", "degrade", "block"}
    refusers = {name for action, _, name in of_run(refusing) if action == "block"}
    assert refusers == {"users", "all", "labels", "run", "unpriced"}


def test_the_store_of_an_enforced_run_gives_that_run(refusing: list[Call], past: Past) -> None:
    rows = replayed(POLICY, refusing, past)
    assert len(rows) == CALLS
    assert of_replay(rows) == of_run(refusing)
    assert [row.spent or 0 for row in rows] == [cost_of(call) or 0 for call in refusing]


def test_calls_recorded_without_budgets_are_replayed_by_their_cost(past: Past, tmp_path: Path) -> None:
    calls = run([], tmp_path / ".llmcost")
    assert all(not call.quotes for call in calls)
    before = past.guessed
    rows = replayed(POLICY, calls, past)
    assert past.guessed - before == len(rows) == CALLS
    assert {row.verdict.action for row in rows} == {"allow", "warn", "degrade", "block"}


def test_the_replay_counts_the_wait_for_the_budgets(past: Past) -> None:
    """A stream that waited long for its verdict, and ends after another call began, ends there in a replay too."""
    now = [1_800_000_000.0]

    def wait(_: object) -> tuple[str, str]:
        now[0] += 5
        return "allow", ""

    def tick(request: httpx.Request) -> httpx.Response:
        now[0] += 1
        return respond(request)

    answer = {"budgets": [POLICY[2]], "ledger": "memory://", "store": False, "foresight": "off", "metrics": False}
    with observed(**answer, on_budget_check=wait) as seen, httpx.Client(transport=httpx.MockTransport(tick)) as client:
        assert active.engine is not None
        active.engine.clock = Clock(lambda: int(now[0] * 1e9), lambda: now[0])
        ended = [stream for _, stream in send(client, PLAN, 0)]
        send(client, replace(PLAN, stream_for=0), 1)
        ended[0].close()
    second, first = seen.calls
    assert first.budget_wait == second.budget_wait == 5
    assert (first.duration, second.duration) == (7, 1)
    ends = [at.admission.started + at.duration for at in past.calls([first, second])]
    assert ends == [1_800_000_012, 1_800_000_012]


PLAN = Plan("u1", "chat", "gpt-5-mini", "question", most=50, depth=1, stream_for=1, tokens=50)


def _fields(budget: Budget) -> dict[str, Any]:
    return {name: getattr(budget, name) for name in Budget.__dataclass_fields__}
