"""What budgets add to a call on its whole path, beside the same observed call without them, in one process.

    python bench/budgeted_calls.py [--json] [--redis URL]

Quoting, asking, holding, settling and the span's attributes are all in it. Rounds of both kinds alternate; a figure is
the median of the rounds, in microseconds of wall time, and ``ratio`` is the call with budgets against the one without.
One budget for each of the user's day and month applies, in the rows of many users for each hour, day, week and month.
``asks`` says how often a call goes to the ledger: in Redis commands that the server has run, of leases operations that
reach the ledger below. ``engine_us`` is the part of it that the budgets' engine takes, admit and settle, as a median of
calls. ``no budget`` is the one test that a call without budgets makes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import statistics
import tempfile
import time
import timeit
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

import llmcost
from llmcost.control.ledger.leases import LeasedLedger
from llmcost.exchange.engine import active

ROUNDS, CALLS = 15, 100
URL = "https://api.openai.com/v1/chat/completions"
REQUEST = {"model": "gpt-4o-mini", "max_tokens": 256, "messages": [{"role": "user", "content": "Summarise. " * 50}]}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "words"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 160, "total_tokens": 1360},
    }
).encode()
LIMITS_US = {"no budget": 0.2, "sqlite": 150.0}
"""Microseconds that are promised; of the sqlite row on a machine that does nothing else."""


def round_of(call: Callable[[], object]) -> float:
    """Microseconds a call."""
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


def measured(client: httpx.Client, ledger: str, users: int = 1, **more: Any) -> dict[str, float]:
    """Without and with budgets, in turns; each call is the next user's."""
    budget = {"name": "users", "scope": "user", "daily": 1000, "monthly": 20000, **more}
    llmcost.observe(store=False, foresight="off", metrics=False, budgets=[budget], ledger=ledger)
    engine = active.engine
    assert engine is not None
    gate: Any = engine.gate

    number = itertools.count()

    def call() -> None:
        with llmcost.context(user_id=f"u{next(number) % users}"):
            client.post(URL, json=REQUEST)

    plain, budgeted = [], []
    for _ in range(users // CALLS):  # every user is known
        round_of(call)
    asked = asks(gate)
    for turn in range(ROUNDS + 1):
        engine.gate = None
        before = round_of(call)
        engine.gate = gate
        after = round_of(call)
        if turn:  # the first warms up
            plain.append(before)
            budgeted.append(after)
    gate.books.settler.flush(10)
    share = {} if asked is None else {"asks": round((asks(gate) - asked) / ((ROUNDS + 1) * CALLS), 4)}
    engine_us = inside(gate.controller, call)
    gate.books.settler.flush(10)
    llmcost.shutdown()
    base, cost = statistics.median(plain), statistics.median(budgeted)
    added = {"added_us": round(cost - base, 1), "engine_us": round(engine_us, 1)}
    return {"plain_us": round(base, 1), **added, "ratio": round(cost / base, 2), **share}


def inside(controller: Any, call: Callable[[], object]) -> float:
    """Microseconds that the engine takes in the path of a call, where other code has just used the processor."""
    took: list[float] = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            answer = function(*arguments)
            took.append(time.perf_counter() - began)
            return answer

        return run

    controller.admit, controller.settle = timed(controller.admit), timed(controller.settle)
    for _ in range(ROUNDS * CALLS):
        call()
    del controller.admit, controller.settle
    pairs = [one + other for one, other in zip(took[::2], took[1::2], strict=False)]
    return statistics.median(pairs) * 1e6


def asks(gate: Any) -> Any:
    """How often the ledger was asked so far; None where nobody counts."""
    ledger = gate.controller.ledger
    if isinstance(ledger, LeasedLedger):
        return ledger.visits
    client = getattr(getattr(ledger, "_inner", None), "_client", None)
    if client is None:
        return None
    return sum(row["calls"] for name, row in client.info("commandstats").items() if "eval" in name)


def no_budget() -> dict[str, float]:
    """One look at an attribute."""
    llmcost.observe(store=False, foresight="off", metrics=False)
    engine = active.engine
    took = min(timeit.repeat("engine.gate is not None", globals={"engine": engine}, number=1_000_000, repeat=5))
    llmcost.shutdown()
    return {"added_us": round(took, 3)}


def main() -> int:
    """Measure; print; 1 where the test without budgets takes longer than is promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--redis", help="URL of a running server")
    arguments = parser.parse_args()
    logging.getLogger("llmcost").setLevel(logging.ERROR)
    os.environ["OTEL_SDK_DISABLED"] = "true"
    found = {"no budget": no_budget()}
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=ANSWER)))
    with client, tempfile.TemporaryDirectory(prefix="bench-budgeted-") as name:
        os.chdir(name)
        found["memory"] = measured(client, "memory://")
        hours = {"hourly": 1000, "weekly": 9000}
        found["memory, 1 user x 4 windows"] = measured(client, "memory://", **hours)
        found["memory, 10,000 users x 4 windows"] = measured(client, "memory://", 10_000, **hours)
        found["memory, strict"] = measured(client, "memory://", bound="strict")
        found["sqlite"] = measured(client, f"sqlite://{Path(name) / 'ledger.db'}")
        many = f"sqlite://{Path(name) / 'many.db'}"
        found["sqlite, 10,000 users x 4 windows"] = measured(client, many, 10_000, **hours)
        found["sqlite, leased"] = measured(client, f"sqlite://{Path(name) / 'leased.db'}", lease=True)
        if arguments.redis:
            found["redis"] = measured(client, f"{arguments.redis}?namespace={uuid.uuid4().hex}")
        os.chdir("/")
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        for row, figures in found.items():
            limit = f"   (promised {LIMITS_US[row]:g} us)" if row in LIMITS_US else ""
            print(f"{row:34}" + "".join(f"  {key} {value:>8}" for key, value in figures.items()) + limit)
    return int(found["no budget"]["added_us"] > LIMITS_US["no budget"])


if __name__ == "__main__":
    raise SystemExit(main())
