"""Panels of traces and execution."""

from __future__ import annotations

from typing import Final

from grafana.panels import Panel, Text
from grafana.queries import traces
from grafana.style import A_MINUTE, USD

DEAR_TRACES: Final = Panel(
    "Dearest traces",
    "table",
    (traces.DEAR_TRACES,),
    help="Whole traces whose calls cost more than *From USD* together.",
)
DEAR_CALLS: Final = Panel("Dearest calls", "table", (traces.DEAR_CALLS,), help="Single calls above *From USD*.")
WORKFLOWS: Final = Panel("Spend by workflow", "stack", (traces.WORKFLOWS,), USD)
AGENTS: Final = Panel("Spend by agent", "stack", (traces.AGENTS,), USD)
TOOLS: Final = Panel("Spend by tool", "stack", (traces.TOOLS,), USD, help="Sections whose path names a tool.")
PATHS: Final = Panel("Spend by nested section", "stack", (traces.PATHS,), USD)
USERS: Final = Panel(
    "Spend by user",
    "stack",
    (traces.USERS,),
    USD,
    help="From traces: user ids are on spans where the program sets them.",
)
OF_USER: Final = Panel("Calls of the user above", "table", (traces.OF_USER,))
FAILED: Final = Panel("Failed calls", "table", (traces.FAILED,))
BLOCKED: Final = Panel("Refused or degraded calls", "table", (traces.BLOCKED,))
REPEATED: Final = Panel("Spans that stand for several sends", "table", (traces.REPEATED,))
OUTCOMES: Final = Panel("How calls end", "lines", (traces.OUTCOMES,), A_MINUTE)
CALL_COST: Final = Panel(
    "Cost of a call, distribution",
    "heat",
    (traces.CALL_COST,),
    USD,
    help="From metrics, so it holds all calls. The dots are exemplars: a click opens the trace.",
)
QUANTILES: Final = Panel(
    "Cost of a call",
    "lines",
    (traces.P50, traces.P95, traces.P99),
    USD,
    help="The dots are exemplars: a click opens the trace.",
)
DO: Final = Text(
    "What to do",
    """\
- **p99 far above p50**: some calls carry much more context; open an exemplar and look at its input tokens.
- **A trace with many calls**: an agent may be in a loop; `max_calls` of a budget with scope `trace` ends it.
- **Many failed calls that cost**: streams that were cut are billed; look at how calls end.
- **No traces at all**: the sampler dropped them, or no trace store is chosen above. Costs stay exact without traces.
""",
)
