"""One process of many that replay a recorded month: its calls become spans, spans become sums, sums go to the ledger.

Commands come by lines: ``calls T`` shows all calls of this process that ended before T, and writes their sums;
``advance T`` takes in what is due at T. Each is answered by a line: the reports that this process is to tell.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

from llmcost import instrumentor
from llmcost.calls import Call
from llmcost.control.feed import open_feed
from llmcost.insight import WatchSettings
from llmcost.processors.foresight import Foresight, found_of
from llmcost.processors.sums import CallSums
from llmcost.runtime import runtime

SCOPE = "replay"


class Observer:
    """Shows each call to the sums, as the processor does."""

    def __init__(self) -> None:
        self.sums = CallSums()

    def observe(self, call: Call, context: Context | None = None) -> None:
        self.sums.add(call)


def main(plan: dict[str, Any]) -> None:
    provider = TracerProvider()
    instrumentor.observe(
        tracer_provider=provider,
        second_door=[SCOPE],
        store="off",
        foresight="off",
        metrics=False,
        prices=plan["prices"],
    )
    observer = Observer()
    runtime.observers.add(observer)
    tracer = provider.get_tracer(SCOPE)
    at = [0.0]
    part = Foresight(open_feed(plan["url"], lambda: at[0]), WatchSettings(), grace_s=plan["grace_s"])
    rows = json.loads(Path(plan["calls"]).read_text(encoding="utf-8"))
    mine = [row for row in rows if row["process"] == plan["number"] and row["at"] >= plan["since"]]
    place = 0
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, text = line.partition(" ")
        at[0] = float(text)
        told: list[str] = []
        if command == "calls":
            while place < len(mine) and mine[place]["at"] < at[0]:
                show(tracer, mine[place])
                place += 1
            part.send(observer.sums.drain())
        else:
            part.advance()
            told = [found_of(report).report for report in part.news()]
        print(json.dumps(told), flush=True)


def show(tracer: Any, row: dict[str, Any]) -> None:
    """A span as an instrumentation of another client would make it."""
    ended = int(row["at"] * 1e9)
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": row["model"],
        "llm.semantic_label": row["label"],
        "user.id": row["user"],
    }
    if not row["failed"]:
        attributes |= {"gen_ai.usage.input_tokens": row["tokens"], "gen_ai.usage.output_tokens": 0}
    span = tracer.start_span("chat", attributes=attributes, start_time=ended - 10**9)
    if row["failed"]:
        span.set_attribute("error.type", "429")
        span.set_status(Status(StatusCode.ERROR))
    span.end(ended)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
