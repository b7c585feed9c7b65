"""How fast and how reliable the providers answer.

The conventions' metrics are also emitted by the official instrumentations, so these panels show their calls too.
"""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.promql import (
    FAILED,
    RANGE,
    RATE,
    equal,
    growth,
    like,
    mean,
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
_ENDED: Final = selector(semconv.OPERATION_DURATION, "_count")
_FAILED: Final = selector(semconv.OPERATION_DURATION, "_count", {semconv.ERROR_TYPE: FAILED})
_OUTPUT: Final = {semconv.TOKEN_TYPE: equal("output")}
_REPEATED: Final = like("408|409|429|5..|.*rate_limit.*|.*overloaded.*|.*server_error.*|.*[Tt]imeout.*|.*[Cc]onnect.*")
_NONE_FAILED: Final = "no call failed"

P50: Final = Prom(
    pointing(quantile(0.5, semconv.OPERATION_DURATION), semconv.OPERATION_DURATION), "p50", exemplars=True
)
P95: Final = Prom(quantile(0.95, semconv.OPERATION_DURATION), "p95")
P99: Final = Prom(quantile(0.99, semconv.OPERATION_DURATION), "p99")
P95_OF_MODEL: Final = Prom(quantile(0.95, semconv.OPERATION_DURATION, _MODEL), _LEGEND)
P95_NOW: Final = Prom(quantile(0.95, semconv.OPERATION_DURATION, window=RANGE), "p95", "instant")
DURATIONS: Final = Prom(
    pointing(speed(selector(semconv.OPERATION_DURATION, "_bucket"), "le"), semconv.OPERATION_DURATION),
    "{{le}}",
    exemplars=True,
)

FIRST_CHUNK_P50: Final = Prom(quantile(0.5, semconv.TIME_TO_FIRST_CHUNK, _MODEL), f"{_LEGEND} p50")
FIRST_CHUNK_P95: Final = Prom(quantile(0.95, semconv.TIME_TO_FIRST_CHUNK, _MODEL), f"{_LEGEND} p95")
FIRST_CHUNK_NOW: Final = Prom(quantile(0.95, semconv.TIME_TO_FIRST_CHUNK, window=RANGE), "p95", "instant")
CHUNK_GAP: Final = Prom(mean(semconv.TIME_PER_OUTPUT_CHUNK, _MODEL, window=RATE), _LEGEND)

_OUTPUT_TOKENS: Final = speed(selector(semconv.TOKEN_USAGE, "_sum", _OUTPUT), _MODEL)
_BUSY: Final = speed(selector(semconv.OPERATION_DURATION, "_sum"), _MODEL)
TOKEN_SPEED: Final = Prom(ratio(_OUTPUT_TOKENS, _BUSY), _LEGEND)
TOKEN_SPEED_NOW: Final = Prom(
    ratio(
        growth(selector(semconv.TOKEN_USAGE, "_sum", _OUTPUT)),
        growth(selector(semconv.OPERATION_DURATION, "_sum")),
    ),
    "tokens a second",
    "instant",
)

CALL_RATE: Final = Prom(f"60 * {speed(_ENDED, _MODEL)}", _LEGEND)
ERROR_SHARE: Final = Prom(share(growth(_FAILED), growth(_ENDED)), "failed", "instant")
ERRORS_BY_TYPE: Final = Prom(
    f"60 * {speed(_FAILED, semconv.ERROR_TYPE)}", f"{{{{{_ERROR}}}}}", empty_when_healthy=_NONE_FAILED
)
ERRORS_BY_MODEL: Final = Prom(
    ratio(speed(_FAILED, _MODEL), speed(_ENDED, _MODEL)), _LEGEND, empty_when_healthy=_NONE_FAILED
)
REPEATABLE: Final = Prom(
    f"60 * {speed(selector(semconv.OPERATION_DURATION, '_count', {semconv.ERROR_TYPE: _REPEATED}), _MODEL)}",
    _LEGEND,
    empty_when_healthy=_NONE_FAILED,
)
"""Failures that SDKs send again: their rate is the rate of retries, up to those that are given up."""
RETRIES: Final = count(f"{SCOPE} && {span(semconv.ATTEMPTS)} > 1", _MODEL)
