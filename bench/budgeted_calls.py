"""What budgets add to a call on its whole path, beside the same observed call without them, in one process.

    python bench/budgeted_calls.py [--json] [--redis URL]

Quoting, asking, holding, settling and the span's attributes are all in it. Rounds of both kinds alternate; a figure is
the median of the rounds, in microseconds of wall time, and ``ratio`` is the call with budgets against the one without.
One budget for each of the user's day and month applies. ``no budget`` is the one test that a call without budgets
makes.
"""

from __future__ import annotations

import argparse
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


def measured(client: httpx.Client, ledger: str, **more: Any) -> dict[str, float]:
    """Without and with budgets, in turns."""
    budget = {"name": "users", "scope": "user", "daily": 1000, "monthly": 20000, **more}
    llmcost.observe(store=False, foresight="off", metrics=False, budgets=[budget], ledger=ledger)
    engine = active.engine
    assert engine is not None
    gate = engine.gate

    def call() -> None:
        client.post(URL, json=REQUEST)

    plain, budgeted = [], []
    with llmcost.context(user_id="u1"):
        for number in range(ROUNDS + 1):
            engine.gate = None
            before = round_of(call)
            engine.gate = gate
            after = round_of(call)
            if number:  # the first warms up
                plain.append(before)
                budgeted.append(after)
    llmcost.shutdown()
    base, cost = statistics.median(plain), statistics.median(budgeted)
    return {"plain_us": round(base, 1), "added_us": round(cost - base, 1), "ratio": round(cost / base, 2)}


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
        found["memory, strict"] = measured(client, "memory://", bound="strict")
        found["sqlite"] = measured(client, f"sqlite://{Path(name) / 'ledger.db'}")
        found["sqlite, leased"] = measured(client, f"sqlite://{Path(name) / 'leased.db'}", lease=True)
        if arguments.redis:
            found["redis"] = measured(client, f"{arguments.redis}?namespace={uuid.uuid4().hex}")
        os.chdir("/")
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        for row, figures in found.items():
            limit = f"   (promised {LIMITS_US[row]:g} us)" if row in LIMITS_US else ""
            print(f"{row:16}" + "".join(f"  {key} {value:>8}" for key, value in figures.items()) + limit)
    return int(found["no budget"]["added_us"] > LIMITS_US["no budget"])


if __name__ == "__main__":
    raise SystemExit(main())
