"""What forecasts and anomalies cost: CPU an update, a day, a bucket and a forecast, and the size of a key's state.

    python bench/insight.py [--json]

Figures are medians of many rounds, in microseconds of CPU of this process, so that a busy machine does not change them
much. ``limit`` is the target; the exit code is 1 where a figure is above it.
"""

from __future__ import annotations

import json
import pickle
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from llmcost.calls import Attribution, Call, Cost, Usage
from llmcost.insight import GLOBAL, Detector, Forecaster, Sample, Scope, Watch, WatchSettings
from llmcost.insight.foresight import Series, restored, text_of
from llmcost.processors.sums import CallSums

DAY, BUCKET = 86400.0, 600.0
START = 1735689600.0
ROUNDS = 300
LIMITS = {
    "sums: a call, which is all that its thread does": 2.0,
    "forecaster: a call": 2.0,
    "forecaster: a day closed": 50.0,
    "forecaster: a month predicted": 100.0,
    "detector: a call": 2.0,
    "detector: a bucket closed": 15.0,
    "forecaster: state (bytes)": 4000.0,
    "detector: state (bytes)": 2000.0,
    "watch: state of a key (bytes)": 2000.0,
}


def spend(seed: int = 1) -> Iterator[float]:
    rng = random.Random(seed)
    while True:
        yield rng.lognormvariate(0, 0.5)


def per_call(rounds: list[tuple[int, Callable[[], None]]]) -> float:
    """Median CPU of one call in microseconds; each round is a number of calls and what makes them."""
    times = []
    for calls, work in rounds:
        begin = time.process_time()
        work()
        times.append((time.process_time() - begin) / calls * 1e6)
    return statistics.median(times)


def grown_forecaster(days: int = 120) -> tuple[Forecaster, float]:
    forecaster, costs = Forecaster(), spend()
    for hour in range(days * 24):
        forecaster.update(START + hour * 3600, next(costs))
    return forecaster, START + days * DAY


def grown_detector(days: int = 14) -> tuple[Detector, float]:
    detector, costs = Detector(), spend()
    buckets = int(days * DAY / BUCKET)
    for bucket in range(buckets):
        detector.update(START + bucket * BUCKET, next(costs), 10)
    return detector, START + buckets * BUCKET


def measure_forecaster() -> dict[str, float]:
    forecaster, now = grown_forecaster()

    def calls() -> None:
        for second in range(500):
            forecaster.update(now + second, 0.01)

    def day(number: int) -> Callable[[], None]:
        return lambda: forecaster.update(now + (number + 1) * DAY, 1.0)

    def month() -> None:
        for _ in range(5):
            forecaster.predict(now + 400 * DAY + 30 * DAY, now=now + 400 * DAY, spent=3.0)

    figures = {
        "forecaster: a call": per_call([(500, calls)] * 30),
        "forecaster: a day closed": per_call([(1, day(number)) for number in range(ROUNDS)]),
    }
    for number in range(ROUNDS, 400):
        forecaster.update(now + (number + 1) * DAY, 1.0)
    figures["forecaster: a month predicted"] = per_call([(5, month)] * ROUNDS)
    figures["forecaster: state (bytes)"] = len(pickle.dumps(forecaster.dump()))
    return figures


def measure_detector() -> dict[str, float]:
    detector, now = grown_detector()
    costs = spend(2)

    def calls() -> None:
        for _ in range(500):
            detector.update(now, 0.01, 1)

    def buckets(number: int) -> Callable[[], None]:
        def work() -> None:
            for bucket in range(20):
                detector.update(now + (20 * number + bucket + 1) * BUCKET, next(costs), 10)

        return work

    return {
        "detector: a call": per_call([(500, calls)] * 30),
        "detector: a bucket closed": per_call([(20, buckets(number)) for number in range(ROUNDS)]),
        "detector: state (bytes)": len(pickle.dumps(detector.dump())),
    }


def measure_watch() -> dict[str, float]:
    watch, costs = Watch(), spend(3)
    scopes = [GLOBAL, Scope("user", "u1"), Scope("label", "summarization"), Scope("model", "gpt-5-mini")]
    for bucket in range(1500):
        watch.update(START + bucket * BUCKET, scopes, Sample(next(costs), 10, 9000, 0, 0, "gpt-5-mini"))
    now = START + 1500 * BUCKET

    def calls() -> None:
        for _ in range(200):
            watch.update(now, scopes, Sample(0.01, 1, 900, 0, 0, "gpt-5-mini"))

    def buckets(number: int) -> Callable[[], None]:
        def work() -> None:
            for bucket in range(5):
                at = now + (5 * number + bucket + 1) * BUCKET
                watch.update(at, scopes, Sample(next(costs), 10, 9000, 0, 0, "gpt-5-mini"))

        return work

    return {
        "watch: a call in 4 scopes": per_call([(200, calls)] * 30),
        "watch: a bucket closed in one scope": per_call([(20, buckets(number)) for number in range(ROUNDS)]),
        "watch: state of a key (bytes)": len(pickle.dumps(watch.dump())) / len(watch),
        "watch: memory of a key (bytes)": memory_of_a_key(),
    }


def memory_of_a_key(keys: int = 500) -> float:
    tracemalloc.start()
    watch, costs = Watch(), spend(4)
    before = tracemalloc.get_traced_memory()[0]
    for number in range(keys):
        for bucket in range(20):
            watch.update(START + bucket * BUCKET, [Scope("user", f"u{number}")], Sample(next(costs), 3, 900, 0, 0, "m"))
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / keys


def measure_feed() -> dict[str, float]:
    """What the thread of a call does, and what the timer's thread does for a series in each step."""
    sums, made = CallSums(), [a_call(number) for number in range(500)]
    series = Series("label", "summarization", WatchSettings())
    costs = spend(5)
    for bucket in range(4000):
        series.update(START + bucket * BUCKET, [Sample(next(costs), 10, 9000, 0, 0, "gpt-5-mini")])
    text = text_of(series)

    def calls() -> None:
        for call in made:
            sums.add(call)

    def keep() -> None:
        for _ in range(20):
            text_of(restored("label=summarization", text))

    return {
        "sums: a call, which is all that its thread does": per_call([(500, calls)] * 30),
        "feed: a series read and written": per_call([(20, keep)] * 30),
        "feed: state of a series (bytes)": len(text),
    }


def a_call(number: int) -> Call:
    about = Attribution(label="summarization", label_source="map", user_id=f"u{number % 20}")
    return Call(
        id=str(number),
        started_ns=int(START * 1e9) + number * 10**8,
        duration=0.8,
        operation="chat",
        provider="openai",
        request_model="gpt-5-mini",
        usage=Usage(1200, 160),
        cost=Cost("priced", 0.001),
        attribution=about,
    )


def main() -> int:
    figures = {**measure_forecaster(), **measure_detector(), **measure_watch(), **measure_feed()}
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=1))
    else:
        for name, figure in figures.items():
            limit = LIMITS.get(name)
            print(f"{name:48} {figure:10.2f}" + (f"   limit {limit:g}" if limit else ""))
    if "numpy" in sys.modules:
        print("numpy was imported")
        return 1
    return int(any(figures[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
