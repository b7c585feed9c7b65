"""What pricing a call costs, beside the plainest arithmetic and, where installed, beside litellm's own function.

    python bench/price.py [--json]

Each figure is the median of many rounds in microseconds of CPU; the cases take turns, so that a busy machine slows all
of them. ``ratio`` compares with the floor: a dictionary look-up and two multiplications into a dictionary.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceRequest, PriceSources

ROUNDS, CALLS = 31, 1_000
PLAIN = Usage(1_200, 160)
CACHED = Usage(10_000, 500, cache_read_tokens=8_000)
CLAUDE = Usage(10_000, 500, cache_read_tokens=3_000, cache_write_tokens=4_000, cache_write_1h_tokens=1_000)
LONG = Usage(300_000, 2_000, cache_read_tokens=250_000, reasoning_tokens=500)
BOOK = PriceBook(PriceSources(fill=False))
RATES = {"gpt-5-mini": {"input": 2.5e-07, "output": 2e-06}}


def floor() -> dict[str, float]:
    rates = RATES["gpt-5-mini"]
    prompt, completion = 1_200 * rates["input"], 160 * rates["output"]
    return {"prompt": prompt, "completion": completion, "total": prompt + completion}


def call(usage: Usage, *request: str | None) -> Callable[[], object]:
    """What the exchange does for each call: build the request, price the usage."""
    return lambda: BOOK.price_call(PriceRequest(*request), usage, None, 1_790_000_000.0)


def cases() -> dict[str, Callable[[], object]]:
    """The cases by name; the first is the floor."""
    found = {
        "floor": floor,
        "plain": call(PLAIN, "openai", "gpt-5-mini-2025-08-07", "gpt-5-mini", "default"),
        "cached": call(CACHED, "openai", "gpt-5-mini-2025-08-07", "gpt-5-mini", "default"),
        "writes of both kinds": call(CLAUDE, "anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", None),
        "long and reasoning": call(LONG, "gcp.gemini", "gemini-2.5-pro", "gemini-2.5-pro", None),
        "off-peak": call(PLAIN, "deepseek", "deepseek-v4-flash", "deepseek-chat", None),
        "unknown model": call(PLAIN, "openai", "no-such-model", "no-such-model", None),
        "price(), plain": lambda: BOOK.price("gpt-5-mini", PLAIN, provider="openai"),
    }
    if importlib.util.find_spec("litellm"):
        found["litellm.cost_per_token"] = litellm_case()
    return found


def litellm_case() -> Callable[[], object]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    usage = litellm.Usage(prompt_tokens=1_200, completion_tokens=160, total_tokens=1_360)
    return lambda: litellm.cost_per_token(model="gpt-5-mini", custom_llm_provider="openai", usage_object=usage)


def per_call(case: Callable[[], object], calls: int) -> float:
    start = time.process_time_ns()
    for _ in range(calls):
        case()
    return (time.process_time_ns() - start) / calls / 1_000


def measure(rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, float]:
    """Median microseconds a call, by case."""
    found = cases()
    for case in found.values():
        case()
    taken: dict[str, list[float]] = {name: [] for name in found}
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name, case in found.items():
            taken[name].append(per_call(case, calls // 10 if name.startswith("litellm") else calls))
    gc.enable()
    return {name: statistics.median(times) for name, times in taken.items()}


def load() -> float:
    """Milliseconds of CPU to read the map."""
    times = []
    for _ in range(9):
        start = time.process_time_ns()
        _ = PriceBook(PriceSources(fill=False)).map
        times.append((time.process_time_ns() - start) / 1e6)
    return statistics.median(times)


def main() -> None:
    found = measure()
    result = {name: {"us": round(us, 2), "ratio": round(us / found["floor"], 1)} for name, us in found.items()}
    result["load of the map"] = {"us": round(load() * 1_000), "ratio": 0.0}
    if "--json" in sys.argv:
        print(json.dumps(result, indent=2))
        return
    for name, row in result.items():
        print(f"{name:<24}{row['us']:>10,.2f} µs{row['ratio']:>8,.1f} x floor")


if __name__ == "__main__":
    main()
