"""One process of many that call a provider on the loopback under one budget: the whole path, not the engine alone.

Run with a JSON plan, started by a line on its input. The server's log is the truth about what was spent.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from itertools import count
from typing import Any

import httpx

import llmcost

KINDS = ("answers", "streams", "fails", "is cancelled")


class Caller:
    """Threads that call through one client each."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.numbers = count()
        self.barrier = threading.Barrier(plan["threads"])
        llmcost.observe(
            budgets=plan["budgets"], ledger=plan["ledger"], store=False, foresight="off", metrics=False,
            hosts={plan["host"]: "openai"}, prices={"bench-model": plan["price"]},
        )  # fmt: skip

    def run(self) -> None:
        threads = [threading.Thread(target=self.thread, args=(number,)) for number in range(self.plan["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        llmcost.shutdown()

    def thread(self, number: int) -> None:
        chance = random.Random(f"{self.plan['name']}-{number}")
        with httpx.Client(base_url=f"http://{self.plan['host']}", timeout=60) as client:
            self.barrier.wait()
            for turn in range(self.plan["calls"]):
                self.call(client, chance.choice(self.plan.get("kinds", KINDS)), f"{self.plan['name']}-{number}-{turn}")

    def call(self, client: httpx.Client, kind: str, name: str) -> None:
        body = {
            "model": "bench-model",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": kind}],
            "user": name,
        }
        if kind in ("streams", "is cancelled"):
            with client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as response:
                for _ in response.iter_lines():
                    self.maybe_die()
                    if kind == "is cancelled" and response.status_code == 200:
                        return
        else:
            client.post("/v1/chat/completions", json=body)
            self.maybe_die()

    def maybe_die(self) -> None:
        if next(self.numbers) == self.plan.get("killed_after"):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    caller = Caller(json.loads(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    caller.run()
