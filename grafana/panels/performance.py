"""Panels of performance."""

from __future__ import annotations

from typing import Final

from grafana import uids
from grafana.names import label
from grafana.panels import Panel, Text
from grafana.queries import performance
from grafana.style import A_MINUTE, COUNT, ERRORS, LATENCY, SECONDS, SHARE
from llmcost import semconv

_MODEL: Final = ("model", label(semconv.REQUEST_MODEL))

P95_NOW: Final = Panel("Duration, p95", "stat", (performance.P95_NOW,), SECONDS, LATENCY)
FIRST_CHUNK_NOW: Final = Panel("Time to first chunk, p95", "stat", (performance.FIRST_CHUNK_NOW,), SECONDS, LATENCY)
SPEED_NOW: Final = Panel("Output tokens a second", "stat", (performance.TOKEN_SPEED_NOW,), COUNT, decimals=0)
ERROR_SHARE: Final = Panel("Failed calls", "stat", (performance.ERROR_SHARE,), SHARE, ERRORS, decimals=1)
DURATION: Final = Panel(
    "Duration of a call",
    "lines",
    (performance.P50, performance.P95, performance.P99),
    SECONDS,
    help="The dots are exemplars: a click opens the trace.",
)
DURATION_OF_MODEL: Final = Panel(
    "Duration by model, p95", "lines", (performance.P95_OF_MODEL,), SECONDS, link=_MODEL, target=uids.MODELS
)
DURATIONS: Final = Panel("Duration, distribution", "heat", (performance.DURATIONS,), SECONDS)
FIRST_CHUNK: Final = Panel(
    "Time to first chunk", "lines", (performance.FIRST_CHUNK_P50, performance.FIRST_CHUNK_P95), SECONDS
)
CHUNK_GAP: Final = Panel("Between two chunks", "lines", (performance.CHUNK_GAP,), SECONDS)
TOKEN_SPEED: Final = Panel(
    "Output tokens a second of a call",
    "lines",
    (performance.TOKEN_SPEED,),
    COUNT,
    help="Tokens by the time of the calls.",
)
CALL_RATE: Final = Panel("Calls a minute", "lines", (performance.CALL_RATE,), A_MINUTE)
BY_TYPE: Final = Panel("Failures a minute, by type", "stack", (performance.ERRORS_BY_TYPE,), A_MINUTE)
BY_MODEL: Final = Panel("Share of failed calls, by model", "lines", (performance.ERRORS_BY_MODEL,), SHARE, ERRORS)
REPEATABLE: Final = Panel(
    "Failures that are sent again, a minute",
    "lines",
    (performance.REPEATABLE,),
    A_MINUTE,
    help="Rate limits, overload and timeouts: SDKs repeat them. Each send is a call of its own here.",
)
RETRIES: Final = Panel("Retries inside one span", "lines", (performance.RETRIES,), A_MINUTE)
DO: Final = Text(
    "What to do",
    """\
- **p95 rises for one model only**: the provider is slow; a fallback model, or streaming, hides it.
- **Time to first chunk rises, tokens a second do not**: prompts grew, or a cache is missed (*Models and tokens*).
- **Rate limits**: fewer calls at once, or a higher tier; retries do not cost, but they take time.
- **Timeouts**: raise the client's timeout above p99, or lower the maximum of output tokens.
""",
)
