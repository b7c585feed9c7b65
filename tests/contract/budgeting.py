"""A program under budgets for tests: hooks on, budgets made by hand, a provider that counts what reaches it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from contract.observed import Observed, observed

from llmcost.control import Callbacks, Controller, budgets_of, ledger_for
from llmcost.exchange.admission import Gate
from llmcost.exchange.engine import active

URL = "https://api.openai.com/v1/chat/completions"
MODEL = "gpt-5-mini"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
NANO = 1000 * 250 + 200 * 2000
"""What one answer with this usage costs, in nano-dollars."""


def answer(model: str = MODEL) -> bytes:
    message = {"role": "assistant", "content": "Hello"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"id": "chatcmpl-1", "model": model, "choices": choices, "usage": USAGE}).encode()


@dataclass
class Budgeted:
    """What was seen, and the budgets that were asked."""

    seen: Observed
    gate: Gate
    controller: Controller
    requests: list[Any] = field(default_factory=list)

    def spent(self, **values: str) -> list[tuple[int, int, int]]:
        """Spent, held and calls of each window that applies, in nano-dollars."""
        self.gate.books.settler.flush(10)
        now = self.controller.ledger.now()
        plan = self.controller.planner.plan(values, now, MODEL)
        return list(self.controller.ledger.states(plan.counters))

    def respond(self, module: Any) -> Any:
        """A handler for a mock transport of httpx or httpx2."""

        def handle(request: Any) -> Any:
            self.requests.append(request)
            return module.Response(200, headers={"content-type": "application/json"}, content=answer())

        return handle


@contextmanager
def budgeted(
    *rows: Mapping[str, Any], url: str = "memory://", callbacks: Callbacks | None = None, **settings: Any
) -> Iterator[Budgeted]:
    """Observe all calls inside the block, under these budgets."""
    with observed(**settings) as seen:
        engine = active.engine
        assert engine is not None
        budgets = budgets_of(list(rows))
        controller = Controller(budgets, ledger_for(url, budgets), callbacks or Callbacks(), series=())
        gate = Gate(controller, engine.prices, "run-1")
        engine.gate = gate
        try:
            yield Budgeted(seen, gate, controller)
        finally:
            gate.close()


def body(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Say hello"}], **more}
