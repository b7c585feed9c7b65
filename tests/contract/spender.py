"""One process of many that spend from one budget: run with a JSON plan, started by a line on its input.

Every call writes to a log what it does, before it does it: the log of a process that was killed is as good as any.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from itertools import count
from pathlib import Path
from typing import Any

from llmcost.control import Admission, Controller, Quote, budgets_of, ledger_for
from llmcost.control.steps import attempt

KINDS = ("answers", "streams", "fails", "is cancelled")


class Spender:
    """Threads that call through one controller."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        budgets = budgets_of(plan["budgets"])
        folder = Path(plan["folder"])
        now = plan.get("now")
        self.now = (lambda: now) if now else time.time
        self.ledger = ledger_for(plan["url"], budgets, folder / "waits", self.now if now else None)
        self.controller = Controller(budgets, self.ledger)
        self.log = os.open(folder / f"{plan['name']}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.run_name = f"{folder.name}-{plan['name']}"
        self.numbers = count()
        self.barrier = threading.Barrier(plan["threads"])

    def write(self, *words: object) -> None:
        os.write(self.log, (json.dumps(words) + "\n").encode())

    def run(self) -> None:
        threads = [threading.Thread(target=self.thread, args=(number,)) for number in range(self.plan["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.ledger.close()

    def thread(self, number: int) -> None:
        chance = random.Random(f"{self.plan['name']}-{number}")
        self.barrier.wait()
        for turn in range(self.plan["calls"]):
            self.call(f"{self.run_name}-{number}-{turn}", chance)

    def call(self, call_id: str, chance: random.Random) -> None:
        bound = self.plan["bound"]
        quote = Quote("priced", bound, bound)
        verdict = self.controller.admit(Admission(call_id, self.now(), "m", self.plan["values"], quote))
        self.write(verdict.action, call_id, bound, verdict.decisions[0].cause if verdict.decisions else "")
        for warning in verdict.warnings:
            self.write("told", warning.value, warning.would)
        if verdict.action == "block":
            return
        if next(self.numbers) == self.plan.get("killed_after"):
            os.kill(os.getpid(), signal.SIGKILL)
        kind = chance.choice(self.plan.get("kinds", KINDS))
        if kind == "streams":
            attempt(self.ledger.renew, verdict.reservation)
        actual = {"answers": bound, "streams": chance.randint(0, bound), "fails": 0}.get(kind, bound // 3)
        self.write("settles", call_id, actual)
        for warning in self.controller.settle(verdict, actual):
            self.write("told", warning.value, warning.would)


if __name__ == "__main__":
    threading.excepthook = lambda failed: (traceback.print_exception(failed.exc_value), os._exit(3))
    spender = Spender(json.loads(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    spender.run()
