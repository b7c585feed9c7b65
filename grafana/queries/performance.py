"""How fast and how reliable the providers answer. Calls that a budget refused were not sent, and are not in it.

The conventions' metrics are also emitted by the official instrumentations, so these panels show their calls too.
"""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import (
    FAILED,
    RANGE,
    RATE,
    SENT,
    equal,
    growth,
    like,
    mean,
    part_of,
    pointing,
    quantile,
    ratio,
    selector,
    share,
    speed,
)
from grafana.query import Prom
from grafana.traceql import SCOPE, count, span
from llmcost import semconv

_MODEL: Final = semconv.REQUEST_MODEL
_LEGEND: Final = f"{{{{{label(_MODEL)}}}}}"
_ERROR: Final = label(semconv.ERROR_TYPE)
_ENDED: Final = part_of(semconv.OPERATION_DURATION, "count", SENT)
_FAILED: Final = part_of(semconv.OPERATION_DURATION, "count", FAILED)
_OUTPUT: Final = {semconv.TOKEN_TYPE: equal("output")}
_REPEATED: Final = like("408|409|429|5..|.*rate_limit.*|.*overloaded.*|.*server_error.*|.*[Tt]imeout.*|.*[Cc]onnect.*")
_NONE_FAILED: Final = "no call failed"


def _duration(q: float, *attributes: str, window: str = RATE) -> str:
    return quantile(q, semconv.OPERATION_DURATION, *attributes, window=window, where=SENT)


P50: Final = Prom(pointing(_duration(0.5), semconv.OPERATION_DURATION, SENT), "p50", exemplars=True)
P95: Final = Prom(_duration(0.95), "p95")
P99: Final = Prom(_duration(0.99), "p99")
P95_OF_MODEL: Final = Prom(_duration(0.95, _MODEL), _LEGEND)
P95_NOW: Final = Prom(_duration(0.95, window=RANGE), "p95", "instant")
DURATIONS: Final = Prom(
    pointing(speed(selector(semconv.OPERATION_DURATION, "_bucket", SENT), "le"), semconv.OPERATION_DURATION, SENT),
    "{{le}}",
    exemplars=True,
)
"""Of classic histograms only: a native one has no series for each bucket."""

FIRST_CHUNK_P50: Final = Prom(quantile(0.5, semconv.TIME_TO_FIRST_CHUNK, _MODEL), f"{_LEGEND} p50")
FIRST_CHUNK_P95: Final = Prom(quantile(0.95, semconv.TIME_TO_FIRST_CHUNK, _MODEL), f"{_LEGEND} p95")
FIRST_CHUNK_NOW: Final = Prom(quantile(0.95, semconv.TIME_TO_FIRST_CHUNK, window=RANGE), "p95", "instant")
CHUNK_GAP: Final = Prom(mean(semconv.TIME_PER_OUTPUT_CHUNK, _MODEL, window=RATE), _LEGEND)

_OUTPUT_TOKENS: Final = part_of(semconv.TOKEN_USAGE, "sum", _OUTPUT)
_BUSY: Final = part_of(semconv.OPERATION_DURATION, "sum", SENT)
TOKEN_SPEED: Final = Prom(ratio(speed(_OUTPUT_TOKENS, _MODEL), speed(_BUSY, _MODEL)), _LEGEND)
TOKEN_SPEED_NOW: Final = Prom(ratio(growth(_OUTPUT_TOKENS), growth(_BUSY)), "tokens a second", "instant")

CALL_RATE: Final = Prom(f"60 * {speed(_ENDED, _MODEL)}", _LEGEND)
ERROR_SHARE: Final = Prom(share(growth(_FAILED), growth(_ENDED)), "failed", "instant")
ERRORS_BY_TYPE: Final = Prom(
    f"60 * {speed(_FAILED, semconv.ERROR_TYPE)}", f"{{{{{_ERROR}}}}}", empty_when_healthy=_NONE_FAILED
)
ERRORS_BY_MODEL: Final = Prom(
    ratio(speed(_FAILED, _MODEL), speed(_ENDED, _MODEL)), _LEGEND, empty_when_healthy=_NONE_FAILED
)
REPEATABLE: Final = Prom(
    f"60 * {speed(part_of(semconv.OPERATION_DURATION, 'count', {semconv.ERROR_TYPE: _REPEATED}), _MODEL)}",
    _LEGEND,
    empty_when_healthy=_NONE_FAILED,
)
"""Failures that SDKs send again: their rate is the rate of retries, up to those that are given up."""
RETRIES: Final = count(f"{SCOPE} && {span(semconv.ATTEMPTS)} > 1", _MODEL)
