"""Panels of the cost overview."""

from __future__ import annotations

from typing import Final

from grafana import uids
from grafana.names import label
from grafana.panels import Panel, Text
from grafana.queries import budgets, insight, spend
from grafana.style import BUDGET, CHANCE, COUNT, SHARE, UNKNOWN, USD
from llmcost import semconv

_BY_LABEL: Final = ("label", label(semconv.SEMANTIC_LABEL))
_BY_MODEL: Final = ("model", label(semconv.REQUEST_MODEL))
_BY_PROVIDER: Final = ("provider", label(semconv.PROVIDER_NAME))

START: Final = Text(
    "First steps",
    """\
1. **Label the code**: `llmcost scan` in the project's folder writes `.llmcost/semantic_map.json`.
2. **Run the program**: `OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317 llmcost run -- python app.py`.
3. **Choose** service, section and model above. No data? Ask `llmcost doctor`, then see *Health of llmcost*.
4. **Set a budget** in `llmcost.toml`; it appears under *Budgets* and can refuse a call before it is sent.
""",
)
NOW: Final = Panel("An hour, now", "stat", (spend.NOW,), USD, help="The speed of the last minutes, as USD an hour.")
TODAY: Final = Panel(
    "Today", "stat", (spend.IN_RANGE,), USD, since="now/d", help="Since midnight of the time zone above."
)
MONTH: Final = Panel("This month", "stat", (spend.IN_RANGE,), USD, since="now/M", help="Since the first of the month.")
FORECAST: Final = Panel(
    "Month's end, forecast",
    "stat",
    (insight.END_MEDIAN, insight.END_LOWER, insight.END_UPPER),
    USD,
    show_names=True,
    help="Median and the ends of the 95 % interval. Absent until there is enough history.",
)
USED: Final = Panel(
    "Budgets used",
    "gauge",
    (budgets.USED_MOST,),
    SHARE,
    BUDGET,
    most=1,
    help="The fullest window of each budget. From 80 % on, look at *Budgets*: which section grows, and can it take a "
    "smaller model?",
)
EXCEED: Final = Panel(
    "May pass budget",
    "stat",
    (insight.EXCEED_MOST,),
    SHARE,
    CHANCE,
    decimals=0,
    help="Above 50 %: raise the limit, or lower the spend of the section at the top of the list below.",
)
CALLS: Final = Panel("Calls", "stat", (spend.CALLS_IN_RANGE,), COUNT, decimals=0)
CALL_MEAN: Final = Panel("Cost of a call", "stat", (spend.CALL_MEAN,), USD)
TRUST: Final = Panel(
    "How far to trust the numbers",
    "stat",
    (spend.UNPRICED_SHARE, spend.ESTIMATED_SHARE, spend.UNTRACKED_SHARE),
    SHARE,
    UNKNOWN,
    show_names=True,
    decimals=1,
    help="Shares of calls. Unpriced: no price is known, so they are missing from the money. Estimated: tokens were "
    "counted from text or the stream was cut. Untracked: the section of the code is not known.",
)
BY_LABEL: Final = Panel(
    "Spend an hour, by section", "stack", (spend.BY_LABEL,), USD, link=_BY_LABEL, target=uids.SECTIONS
)
BY_MODEL: Final = Panel("Spend an hour, by model", "stack", (spend.BY_MODEL,), USD, link=_BY_MODEL, target=uids.MODELS)
BY_PROVIDER: Final = Panel(
    "Spend an hour, by provider", "stack", (spend.BY_PROVIDER,), USD, link=_BY_PROVIDER, target=uids.MODELS
)
TOP_LABELS: Final = Panel("Dearest sections", "bars", (spend.TOP_LABELS,), USD, link=_BY_LABEL, target=uids.SECTIONS)
TOP_MODELS: Final = Panel("Dearest models", "bars", (spend.TOP_MODELS,), USD, link=_BY_MODEL, target=uids.MODELS)
TOP_PROVIDERS: Final = Panel("Dearest providers", "bars", (spend.TOP_PROVIDERS,), USD)
AGAINST_BUDGET: Final = Panel(
    "Forecast against budget",
    "fan",
    insight.FAN,
    USD,
    help="Where the period will end: median and 95 % band. The dashed line is the limit.",
)
DO: Final = Text(
    "Where a number is bad",
    """\
- **Unpriced > 0**: name the model's price in `[tool.llmcost.prices]`, or `llmcost prices update`.
- **Estimated > 5 %**: set `LLMCOST_STREAM_USAGE=inject`, so that streams state their usage.
- **Untracked > 5 %**: run `llmcost scan` again; *Semantic sections* lists the calls.
- **Budget > 80 %**: *Budgets* shows when it is used up; a fallback model costs least to try.
- **A jump in spend**: *Forecast and anomalies* names the cause; click a series to see its section.
""",
)
