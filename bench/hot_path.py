"""The CPU that llmcost adds to a call, beside the same call without it, in one process.

    python bench/hot_path.py [--json]

The call is made with httpx2 (else httpx) over a transport that answers at once, so that nothing but code is measured.
Rounds alternate between hooks in and hooks out; a figure is the median of the rounds, and ``ratio`` is the call with
llmcost against the plain one. A bare client does a tenth of the work of an SDK, so the ratio is a gate against
regressions and says nothing of a program. The exit code is 1 where a ratio is above its limit.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from llmcost import LLMCostInstrumentor

ROUNDS, CALLS = 15, 200
URL = "https://api.openai.com/v1/chat/completions"
LIMITS = {"plain": 7.0, "stream of 43 events": 9.0, "answer of 200 kB": 12.0}
"""Ratios; twice what a busy machine of two cores measured when they were set."""

_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 160,
    "total_tokens": 1360,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0},
}
_NAMES = {"id": "chatcmpl-bench", "object": "chat.completion", "model": "gpt-4o-mini-2024-07-18"}


def http() -> Any:
    """The HTTP client module to measure with."""
    return importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")


def answer(size: int) -> bytes:
    """A chat completion whose text has ``size`` characters."""
    message = {"role": "assistant", "content": "words " * (size // 6)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({**_NAMES, "choices": choices, "usage": _USAGE}).encode()


def events() -> list[bytes]:
    """A stream: 40 pieces of text, the finish reason, the usage, the end mark."""

    def event(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
        return {**_NAMES, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}

    documents = [*([event({"content": "All counted tokens. "}, None)] * 40), event({}, "stop")]
    documents.append({**_NAMES, "choices": [], "usage": _USAGE})
    return [b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents] + [b"data: [DONE]\n\n"]


def caller(module: Any, body: bytes | list[bytes]) -> Callable[[], None]:
    """A function that makes one call and reads its answer to the end."""
    kind = "application/json" if isinstance(body, bytes) else "text/event-stream"

    def respond(_: Any) -> Any:
        content = body if isinstance(body, bytes) else iter(body)
        return module.Response(200, headers={"content-type": kind}, content=content)

    client = module.Client(transport=module.MockTransport(respond))
    messages = [{"role": "user", "content": "Summarise the following report. " * 50}]
    request = {"model": "gpt-4o-mini", "messages": messages, "max_tokens": 256, "stream": kind != "application/json"}

    def call() -> None:
        with client.stream("POST", URL, json=request) as response:
            for _ in response.iter_bytes():
                pass

    def call_whole() -> None:
        client.post(URL, json=request)

    return call_whole if isinstance(body, bytes) else call


def cpu(call: Callable[[], None], calls: int) -> float:
    """Microseconds of CPU a call."""
    begin = time.process_time_ns()
    for _ in range(calls):
        call()
    return (time.process_time_ns() - begin) / calls / 1e3


def measure(call: Callable[[], None]) -> dict[str, float]:
    """Plain and observed, in turns."""
    plain, observed = [], []
    instrumentor = LLMCostInstrumentor()
    provider = TracerProvider()
    for round_ in range(ROUNDS + 1):
        before = cpu(call, CALLS)
        instrumentor.instrument(tracer_provider=provider)
        cpu(call, 2)
        after = cpu(call, CALLS)
        instrumentor.uninstrument()
        if round_:  # the first warms up
            plain.append(before)
            observed.append(after)
    base, cost = statistics.median(plain), statistics.median(observed)
    return {"plain_us": round(base, 1), "added_us": round(cost - base, 1), "ratio": round(cost / base, 2)}


def main() -> int:
    """Measure all cases; print them; 1 where a ratio is above its limit."""
    os.environ["LLMCOST_STORE"] = "off"
    logging.getLogger("llmcost").setLevel(logging.ERROR)  # that there is no semantic map, once a round
    bodies: dict[str, bytes | list[bytes]] = {
        "plain": answer(800),
        "stream of 43 events": events(),
        "answer of 200 kB": answer(200_000),
    }
    module = http()
    found = {name: measure(caller(module, body)) for name, body in bodies.items()}
    if "--json" in sys.argv:
        print(json.dumps(found, indent=2))
    else:
        for name, row in found.items():
            print(f"{name:22} plain {row['plain_us']:8.1f} us   added {row['added_us']:7.1f} us   x {row['ratio']:.2f}")
    return int(any(row["ratio"] > LIMITS[name] for name, row in found.items()))


if __name__ == "__main__":
    sys.exit(main())
