"""Models and their tokens: how many, of which kind, what they cost, and what the cache saves."""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import (
    RANGE,
    RATE,
    SENT,
    Part,
    equal,
    growth,
    like,
    mean,
    part_of,
    quantile,
    ratio,
    selector,
    share,
    speed,
)
from grafana.queries.spend import CALLS, COST
from grafana.query import Prom
from llmcost import semconv

_MODEL: Final = semconv.REQUEST_MODEL
_LEGEND: Final = f"{{{{{label(_MODEL)}}}}}"
_INPUT: Final = {semconv.TOKEN_TYPE: equal("input")}
_OUTPUT: Final = {semconv.TOKEN_TYPE: equal("output")}


def _tokens(kind: str) -> Part:
    return part_of(semconv.TOKEN_USAGE, "sum", {semconv.TOKEN_TYPE: equal(kind)})


_ALL: Final = part_of(semconv.TOKEN_USAGE, "sum")

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
P95_OF: Final = Prom(quantile(0.95, semconv.OPERATION_DURATION, _MODEL, window=RANGE, where=SENT), "p95", "table")


_CLASS: Final = semconv.TOKEN_CLASS
_CLASS_LEGEND: Final = f"{{{{{label(_CLASS)}}}}}"
_OF_CLASS: Final = selector(semconv.TOKENS)


def _of(metric: semconv.Metric, kind: str, *attributes: str) -> str:
    return growth(selector(metric, where={_CLASS: equal(kind)}), RANGE, *attributes)


_ANEW: Final = f"({_of(semconv.TOKENS, 'input', _MODEL)} > 0)"
_READ: Final = _of(semconv.TOKENS, "cache_read", _MODEL)
_SAVED: Final = (
    f"{_READ} * {_of(semconv.TOKENS_COST, 'input', _MODEL)} / {_ANEW} "
    f"- {_of(semconv.TOKENS_COST, 'cache_read', _MODEL)}"
)
"""What cached input would have cost if it had been read anew, less what it cost."""

BY_CLASS: Final = Prom(f"60 * {speed(_OF_CLASS, _CLASS)}", _CLASS_LEGEND)
MONEY_BY_CLASS: Final = Prom(f"3600 * {speed(selector(semconv.TOKENS_COST), _CLASS)}", _CLASS_LEGEND)
CACHE_SHARE: Final = Prom(
    share(
        _of(semconv.TOKENS, "cache_read"),
        growth(selector(semconv.TOKENS, where={_CLASS: like("input|cache_read|cache_write")})),
    ),
    "of the input",
    "instant",
)
SAVED: Final = Prom(f"sum({_SAVED}) or vector(0)", "saved", "instant")
SAVED_BY_MODEL: Final = Prom(_SAVED, _LEGEND, "instant", empty_when_healthy="nothing was read from a cache")
REASONING_SHARE: Final = Prom(
    ratio(
        speed(selector(semconv.TOKENS, where={_CLASS: equal("reasoning")}), _MODEL),
        speed(selector(semconv.TOKENS, where={_CLASS: like("output|reasoning")}), _MODEL),
    ),
    _LEGEND,
    empty_when_healthy="no model reasons",
)
