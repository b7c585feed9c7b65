"""Panels of forecast and anomalies."""

from __future__ import annotations

from typing import Final

from grafana import uids
from grafana.names import label
from grafana.panels import Column, Panel, Text
from grafana.queries import insight
from grafana.style import CHANCE, COUNT, FEW, SHARE, USD
from llmcost import semconv

_BOUNDS: Final = {"lower": Column("Lower", USD), "median": Column("Median", USD), "upper": Column("Upper", USD)}
_VALUE: Final = label(semconv.SCOPE_VALUE)

END: Final = Panel(
    "Month's end",
    "stat",
    (insight.END_LOWER, insight.END_MEDIAN, insight.END_UPPER),
    USD,
    show_names=True,
    help="Median and the ends of the 95 % interval. Absent until there is enough history.",
)
FAN: Final = Panel(
    "The month: forecast of its end, spent so far, limit",
    "fan",
    insight.FAN,
    USD,
    help="How the forecast of the month's end and its 95 % band changed over time. The band narrows with each day.",
)
EXCEED_NOW: Final = Panel("Chance to pass a budget", "gauge", (insight.EXCEED_NOW,), SHARE, CHANCE, most=1, decimals=0)
EXCEED: Final = Panel("Chance to pass a budget, over time", "lines", (insight.EXCEED,), SHARE, CHANCE, most=1)
BY_LABEL: Final = Panel(
    "Month's end, by section",
    "table",
    insight.BY_LABEL,
    columns={_VALUE: Column("Section", link="label", target=uids.SECTIONS), **_BOUNDS},
)
BY_BUDGET: Final = Panel(
    "End of each budget's window", "table", insight.BY_BUDGET, columns={_VALUE: Column("Budget"), **_BOUNDS}
)
OPEN_NOW: Final = Panel("Open incidents", "stat", (insight.OPEN_NOW,), COUNT, FEW, decimals=0)
OPENED: Final = Panel("Incidents opened", "stat", (insight.OPENED,), COUNT, FEW, decimals=0)
OPEN: Final = Panel("Open incidents, by scope", "states", (insight.OPEN,), COUNT, FEW, decimals=0)
BY_CAUSE: Final = Panel(
    "Incidents opened, by cause",
    "stack",
    (insight.BY_CAUSE,),
    COUNT,
    help="model: another model answers. tokens: longer prompts or answers. price: the price rose. calls: more of them. "
    "retries, errors: the provider fails.",
)
REPORTS: Final = Panel(
    "Reports",
    "table",
    (insight.REPORTS,),
    columns={
        label(semconv.SCOPE_KIND): Column("Whose spend"),
        label(semconv.ANOMALY_CAUSE): Column("Cause"),
        label(semconv.ANOMALY_SEVERITY): Column("Severity"),
        label(semconv.ANOMALY_EVENT): Column("Event"),
        "reports": Column("Reports", COUNT),
    },
)
INCIDENTS: Final = Panel(
    "Incidents in words (from traces)",
    "table",
    (insight.INCIDENTS,),
    help="Since when, whose spend, what changed, how much money. `llmcost anomalies` prints the same.",
)
DO: Final = Text(
    "What to do",
    """\
- **Cause `model`**: was the change meant? The table *Sections and models* shows who uses it.
- **Cause `tokens`**: a prompt or its context grew; open a dear trace of the section.
- **Cause `calls`**: a loop or more traffic; a budget with `max_calls` for each trace ends loops.
- **Cause `retries` or `errors`**: *Performance*; failing calls are sent again, and cut streams are billed.
- **No forecast**: it needs some whole days of history; `llmcost forecast` says how many are there.
""",
)
