"""Panels of the semantic sections."""

from __future__ import annotations

from typing import Final

from grafana import uids
from grafana.names import label
from grafana.panels import Column, Panel, Text
from grafana.queries import sections
from grafana.style import A_MINUTE, COUNT, HEAT, SHARE, USD
from llmcost import semconv

_LABEL: Final = label(semconv.SEMANTIC_LABEL)
_MODEL: Final = label(semconv.REQUEST_MODEL)
_ALONE: Final = ("label", _LABEL)

TABLE: Final = Panel(
    "Sections",
    "table",
    (sections.SPEND, sections.SHARE, sections.CALLS_OF, sections.AVERAGE),
    columns={
        _LABEL: Column("Section", link="label", target=uids.TRACES),
        "spend": Column("Spend", USD),
        "share": Column("Share", SHARE),
        "calls": Column("Calls", COUNT),
        "average": Column("A call", USD),
    },
    order="Spend",
    help="Within the time range above. A click on a section shows its calls in *Traces and execution*.",
)
SHARES: Final = Panel(
    "Share of the spend", "bars", (sections.SHARE_BARS,), SHARE, most=1, link=_ALONE, target=uids.TRACES
)
COUNT_OF: Final = Panel("Sections that spend", "stat", (sections.LABELS,), COUNT, decimals=0)
TREND: Final = Panel("Spend an hour", "stack", (sections.TREND,), USD, link=_ALONE, target=uids.TRACES)
CALLS: Final = Panel("Calls a minute", "lines", (sections.CALL_TREND,), A_MINUTE)
CALL_COST: Final = Panel(
    "Cost of a call",
    "lines",
    (sections.CALL_COST,),
    USD,
    help="A step upwards with unchanged calls: another model, longer prompts, or a new price; see *Models and tokens*.",
)
HEAT_MAP: Final = Panel(
    "Heat map: sections over time",
    "history",
    (sections.HEAT,),
    USD,
    HEAT,
    help="Each cell is the spend of a section in one step of time.",
)
BY_MODEL: Final = Panel(
    "Sections and models",
    "table",
    (sections.BY_MODEL,),
    columns={
        _LABEL: Column("Section", link="label", target=uids.TRACES),
        _MODEL: Column("Model", link="model", target=uids.MODELS),
        "spend": Column("Spend", USD),
    },
    order="Spend",
)
BY_OPERATION: Final = Panel("By operation", "bars", (sections.BY_OPERATION,), USD)
FUNCTIONS: Final = Panel(
    "Heat map of the code: spend by file and function",
    "stack",
    (sections.FUNCTIONS,),
    USD,
    help="From traces, so sampled-out calls are missing. `llmcost heatmap` shows the same, exactly, in the terminal.",
)
FUNCTION_CALLS: Final = Panel("Down to file and function", "table", (sections.FUNCTION_CALLS,))
UNTRACKED: Final = Panel(
    "Calls of no known section", "table", (sections.UNTRACKED_CALLS,), help="`llmcost scan` gives them a label."
)
DO: Final = Text(
    "What to do",
    """\
- **One section has most of the spend**: look at its cost of a call first, then at its calls.
- **A section is `untracked`**: `llmcost scan`, or `with llmcost.label("...")` around the call.
- **A label says too little**: rename it in `.llmcost/semantic_map.json`; a hand edit survives the next scan.
""",
)
