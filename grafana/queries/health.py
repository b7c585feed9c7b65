"""llmcost itself: its faults, what it could not price or see, who reports, and the way to the stores."""

from __future__ import annotations

from typing import Final

from grafana.names import SERVICE, label
from grafana.promql import RANGE, SENT, by, equal, growth, mean, quantile, ratio, scraped, selector, share, speed
from grafana.queries.spend import CALLS
from grafana.query import Prom
from llmcost import semconv

_PLACE: Final = "llmcost_place"
_HOST: Final = label(semconv.SERVER_ADDRESS)
_MODEL: Final = label(semconv.REQUEST_MODEL)
_NO_FAULT: Final = "no fault of llmcost"
_ALL_PRICED: Final = "every call had a price"
_ALL_SEEN: Final = "every request to a provider was read"
_ERRORS: Final = selector(semconv.INTERNAL_ERRORS)
_UNPRICED: Final = selector(semconv.CALLS_UNPRICED)
_CALLS: Final = growth(CALLS, RANGE, SERVICE)
_UNTRACKED: Final = selector(semconv.CALLS, where={semconv.SEMANTIC_LABEL: equal(semconv.UNTRACKED)})
_UNSEEN: Final = selector(semconv.CALLS_UNSEEN)

ERRORS: Final = Prom(f"{growth(_ERRORS)} or vector(0)", "internal errors", "instant")
ERRORS_BY_PLACE: Final = Prom(
    f"60 * {speed(_ERRORS, semconv.INTERNAL_ERRORS.attributes[0])}", f"{{{{{_PLACE}}}}}", empty_when_healthy=_NO_FAULT
)
UNPRICED: Final = Prom(f"{growth(_UNPRICED)} or vector(0)", "unpriced", "instant")
UNPRICED_MODELS: Final = Prom(
    growth(_UNPRICED, RANGE, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL, semconv.SEMANTIC_LABEL),
    "calls",
    "table",
    empty_when_healthy=_ALL_PRICED,
)
UNSEEN: Final = Prom(f"{growth(_UNSEEN)} or vector(0)", "unseen", "instant")
UNSEEN_HOSTS: Final = Prom(
    growth(_UNSEEN, RANGE, semconv.SERVER_ADDRESS), "requests", "table", empty_when_healthy=_ALL_SEEN
)
UNSEEN_SHARE: Final = Prom(share(growth(_UNSEEN), growth(CALLS)), "unseen", "instant")
BY_STATUS: Final = Prom(growth(CALLS, RANGE, semconv.COST_STATUS), f"{{{{{label(semconv.COST_STATUS)}}}}}", "instant")
STATUS_TREND: Final = Prom(f"60 * {speed(CALLS, semconv.COST_STATUS)}", f"{{{{{label(semconv.COST_STATUS)}}}}}")
SERVICES: Final = Prom(_CALLS, "calls", "table")
TRACKED: Final = Prom(
    f"1 - ({growth(_UNTRACKED, RANGE, SERVICE)} or 0 * {_CALLS}) / {_CALLS}",
    "tracked",
    "table",
)
REPORTING: Final = Prom(f"count({_CALLS} > 0)", "services", "instant")
LAST_SEEN: Final = Prom(f"time() - max by ({label(SERVICE)}) (timestamp({CALLS}))", "age", "table")

_ADOPTED: Final = growth(selector(semconv.CALLS_ADOPTED), RANGE, SERVICE)
ADOPTED: Final = Prom(f"({_ADOPTED} or 0 * {_CALLS}) / {_CALLS}", "adopted", "table")

_FEW_CALLS: Final = "fewer calls than one is measured of"
OVERHEAD_NOW: Final = Prom(
    quantile(0.5, semconv.CALL_OVERHEAD, window=RANGE), "a call", "instant", empty_when_healthy=_FEW_CALLS
)
OVERHEAD_SHARE: Final = Prom(
    ratio(mean(semconv.CALL_OVERHEAD), mean(semconv.OPERATION_DURATION, where=SENT)),
    "of a call",
    "instant",
    empty_when_healthy=_FEW_CALLS,
)
OVERHEAD_P50: Final = Prom(quantile(0.5, semconv.CALL_OVERHEAD, window="1h"), "p50", empty_when_healthy=_FEW_CALLS)
OVERHEAD_P95: Final = Prom(quantile(0.95, semconv.CALL_OVERHEAD, window="1h"), "p95", empty_when_healthy=_FEW_CALLS)

_NO_STORE: Final = "no program has a local store"
_LOST: Final = selector(semconv.STORE_DROPPED)
STORE_WAITING: Final = Prom(
    f"max {by([SERVICE])}({selector(semconv.STORE_WAITING)})",
    f"{{{{{label(SERVICE)}}}}}",
    empty_when_healthy=_NO_STORE,
)
SERIES_DROPPED: Final = Prom(f"max({selector(semconv.SERIES_DROPPED)}) or vector(0)", "no longer watched", "instant")
STORE_DROPPED: Final = Prom(f"{growth(_LOST)} or vector(0)", "lost", "instant")

_NO_OWN: Final = "the SDK's own metrics are off"
_NO_COLLECTOR: Final = "the collector's own metrics are not scraped"
_DROPPED: Final = selector(semconv.SDK_SPANS_PROCESSED, where={semconv.ERROR_TYPE: '!=""'})

QUEUE: Final = Prom(
    f"max {by([SERVICE])}({selector(semconv.SDK_QUEUE_SIZE)})", f"{{{{{label(SERVICE)}}}}}", empty_when_healthy=_NO_OWN
)
DROPPED: Final = Prom(
    f"60 * {speed(_DROPPED, SERVICE)}", f"{{{{{label(SERVICE)}}}}}", empty_when_healthy=f"no span dropped, or {_NO_OWN}"
)
COLLECTOR_TAKEN: Final = Prom(
    f"60 * {speed(scraped(semconv.COLLECTOR_RECEIVED))}", "taken", empty_when_healthy=_NO_COLLECTOR
)
COLLECTOR_FAILED: Final = Prom(
    f"60 * {speed(scraped(semconv.COLLECTOR_FAILED))}", "not delivered", empty_when_healthy=_NO_COLLECTOR
)
COLLECTOR_QUEUE: Final = Prom(
    f"max({scraped(semconv.COLLECTOR_QUEUE_SIZE)})", "waiting", empty_when_healthy=_NO_COLLECTOR
)
