"""Models and their tokens: how many, of which kind, what they cost, and what the cache saves."""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import RANGE, RATE, equal, growth, mean, quantile, ratio, selector, speed
from grafana.queries.spend import CALLS, COST
from grafana.query import Prom, TraceQL
from grafana.traceql import COSTLY, span
from llmcost import semconv

_MODEL: Final = semconv.REQUEST_MODEL
_LEGEND: Final = f"{{{{{label(_MODEL)}}}}}"
_INPUT: Final = {semconv.TOKEN_TYPE: equal("input")}
_OUTPUT: Final = {semconv.TOKEN_TYPE: equal("output")}


def _tokens(kind: str) -> str:
    return selector(semconv.TOKEN_USAGE, "_sum", {semconv.TOKEN_TYPE: equal(kind)})


_ALL: Final = selector(semconv.TOKEN_USAGE, "_sum")

INPUT: Final = Prom(growth(_tokens("input")), "input", "instant")
OUTPUT: Final = Prom(growth(_tokens("output")), "output", "instant")
INPUT_TREND: Final = Prom(f"60 * {speed(_tokens('input'), _MODEL)}", _LEGEND)
OUTPUT_TREND: Final = Prom(f"60 * {speed(_tokens('output'), _MODEL)}", _LEGEND)
INPUT_OF_CALL: Final = Prom(mean(semconv.TOKEN_USAGE, _MODEL, window=RATE, where=_INPUT), f"{_LEGEND} input")
OUTPUT_OF_CALL: Final = Prom(mean(semconv.TOKEN_USAGE, _MODEL, window=RATE, where=_OUTPUT), f"{_LEGEND} output")

PRICE: Final = Prom(f"1000 * {ratio(growth(COST), growth(_ALL))}", "USD for 1000 tokens", "instant")
PRICE_TREND: Final = Prom(f"1000 * {ratio(speed(COST, _MODEL), speed(_ALL, _MODEL))}", _LEGEND)

SPEND_OF: Final = Prom(growth(COST, RANGE, _MODEL), "spend", "table")
CALLS_OF: Final = Prom(growth(CALLS, RANGE, _MODEL), "calls", "table")
AVERAGE_OF: Final = Prom(ratio(growth(COST, RANGE, _MODEL), growth(CALLS, RANGE, _MODEL)), "average", "table")
INPUT_OF: Final = Prom(growth(_tokens("input"), RANGE, _MODEL), "input", "table")
OUTPUT_OF: Final = Prom(growth(_tokens("output"), RANGE, _MODEL), "output", "table")
PRICE_OF: Final = Prom(f"1000 * {ratio(growth(COST, RANGE, _MODEL), growth(_ALL, RANGE, _MODEL))}", "price", "table")
P95_OF: Final = Prom(quantile(0.95, semconv.OPERATION_DURATION, _MODEL, window=RANGE), "p95", "table")


def _token_trend(attribute: str) -> TraceQL:
    return TraceQL(f"{{ {COSTLY} }} | sum_over_time({span(attribute)}) by ({span(_MODEL)})", "range")


CACHED: Final = _token_trend(semconv.CACHE_READ_TOKENS)
REASONING: Final = _token_trend(semconv.REASONING_TOKENS)
