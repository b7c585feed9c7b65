"""Panels of the health of llmcost."""

from __future__ import annotations

from typing import Final

from grafana.names import SERVICE, label
from grafana.panels import Column, Panel, Text
from grafana.queries import health
from grafana.style import A_MINUTE, ANY, BURDEN, COUNT, FEW, OVERHEAD, SECONDS, SHARE, UNKNOWN
from llmcost import semconv

ERRORS: Final = Panel("Internal errors", "stat", (health.ERRORS,), COUNT, ANY, decimals=0)
UNPRICED: Final = Panel("Unpriced calls", "stat", (health.UNPRICED,), COUNT, FEW, decimals=0)
UNSEEN: Final = Panel("Unseen requests", "stat", (health.UNSEEN,), COUNT, FEW, decimals=0)
REPORTING: Final = Panel("Services that report", "stat", (health.REPORTING,), COUNT, decimals=0)
ERRORS_BY_PLACE: Final = Panel(
    "Internal errors a minute, by place",
    "lines",
    (health.ERRORS_BY_PLACE,),
    A_MINUTE,
    help="Faults of llmcost, kept from the program. Each is logged once with its traceback.",
)
STATUS_TREND: Final = Panel("Calls a minute, by status of the cost", "stack", (health.STATUS_TREND,), A_MINUTE)
BY_STATUS: Final = Panel("Status of the costs", "bars", (health.BY_STATUS,), COUNT, decimals=0)
UNPRICED_MODELS: Final = Panel(
    "Models without a price",
    "table",
    (health.UNPRICED_MODELS,),
    columns={
        label(semconv.PROVIDER_NAME): Column("Provider"),
        label(semconv.REQUEST_MODEL): Column("Model"),
        label(semconv.SEMANTIC_LABEL): Column("Section"),
        "calls": Column("Calls", COUNT),
    },
    order="Calls",
)
UNSEEN_HOSTS: Final = Panel(
    "Hosts whose requests were not read",
    "table",
    (health.UNSEEN_HOSTS,),
    columns={label(semconv.SERVER_ADDRESS): Column("Host"), "requests": Column("Requests", COUNT)},
)
ADOPTION: Final = Panel(
    "Services",
    "table",
    (health.SERVICES, health.TRACKED, health.ADOPTED, health.LAST_SEEN),
    columns={
        label(SERVICE): Column("Service"),
        "calls": Column("Calls", COUNT),
        "tracked": Column("Of a known section", SHARE),
        "adopted": Column("On spans of others", SHARE),
        "age": Column("Last seen", SECONDS),
    },
    help="Adoption: who reports, how many calls are of a section that the map knows, and how many stand on the span of "
    "another instrumentation, which llmcost adopts instead of making a second one.",
)
OVERHEAD_NOW: Final = Panel(
    "Own time, median",
    "stat",
    (health.OVERHEAD_NOW,),
    SECONDS,
    OVERHEAD,
    help="For how long llmcost held a call up, measured of one call in 101. Budgets, the application's span processors "
    "and waiting for a busy processor are in it; threads in the background are not.",
)
OVERHEAD_TREND: Final = Panel(
    "Own time of a call, over an hour",
    "lines",
    (health.OVERHEAD_P50, health.OVERHEAD_P95),
    SECONDS,
    OVERHEAD,
    help="Where p95 rises alone, the machine is busy or a ledger is slow (Redis: 50 ms at most, SQLite: 20 ms).",
)
OVERHEAD_SHARE: Final = Panel(
    "Own share of a call",
    "stat",
    (health.OVERHEAD_SHARE,),
    SHARE,
    BURDEN,
    decimals=3,
    help="The mean time of llmcost in a call by the mean duration of the calls.",
)
STORE_WAITING: Final = Panel(
    "Calls that wait for the disk",
    "lines",
    (health.STORE_WAITING,),
    COUNT,
    ANY,
    help="The local store cannot be written: the disk is full or read-only. From 20,000 on the oldest are lost.",
)
SERIES_DROPPED: Final = Panel(
    "No longer watched",
    "stat",
    (health.SERIES_DROPPED,),
    COUNT,
    FEW,
    decimals=0,
    help="Users, labels and models above 100,000 that forecast and watch forgot; those silent longest go first. Their "
    "money is counted all the same.",
)
STORE_DROPPED: Final = Panel("Calls lost in the store", "stat", (health.STORE_DROPPED,), COUNT, ANY, decimals=0)
UNSEEN_SHARE: Final = Panel("Unseen, a call", "stat", (health.UNSEEN_SHARE,), SHARE, UNKNOWN, decimals=1)
QUEUE: Final = Panel(
    "Spans that wait for export",
    "lines",
    (health.QUEUE,),
    COUNT,
    help="The SDK's own metric: set OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true in the programs.",
)
DROPPED: Final = Panel(
    "Spans dropped a minute",
    "lines",
    (health.DROPPED,),
    A_MINUTE,
    FEW,
    help="The queue was full. Costs in metrics are exact all the same; raise OTEL_BSP_MAX_QUEUE_SIZE.",
)
COLLECTOR: Final = Panel(
    "Collector: points a minute",
    "lines",
    (health.COLLECTOR_TAKEN, health.COLLECTOR_FAILED),
    A_MINUTE,
    help="The collector's own metrics, where Prometheus scrapes them.",
)
COLLECTOR_QUEUE: Final = Panel("Collector: batches that wait", "lines", (health.COLLECTOR_QUEUE,), COUNT)
DO: Final = Text(
    "What to do",
    """\
- **Internal errors**: the program's log has one traceback a place; please file it. Calls are unaffected.
- **Unpriced**: `llmcost prices update`, or `[tool.llmcost.prices."the-model"]`. Until then the money is missing.
- **Unseen**: another client or protocol (WebSocket, gRPC); see *Blind spots* in the documentation.
- **A service is not here**: `llmcost doctor` on its machine; is the endpoint set, does the collector answer?
- **Calls wait for the disk**: make room; budgets and metrics count them all the same, reports miss what is lost.
- **Own time > 1 ms**: is a budget's ledger far away? Does a span processor of the program work while a span ends?
- **Spans are dropped**: raise `OTEL_BSP_MAX_QUEUE_SIZE`. Costs in metrics stay exact.
""",
)
