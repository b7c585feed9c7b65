"""The eight dashboards: which panels stand where.

A row is 24 wide. A dashboard opens with what must be seen first and ends with what to do where a number is bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana import uids
from grafana.panels import Panel, Text, budgets, health, insight, models, overview, performance, sections, traces
from grafana.queries import insight as insight_queries
from grafana.query import Prom
from grafana.variables import KEPT


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, of one height (in units of about 30 pixels), with their widths (24 is the whole)."""

    title: str
    height: int
    cells: tuple[tuple[Panel | Text, int], ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard.

    Attributes:
        uid: stable name, see :mod:`grafana.uids`.
        title: what people call it.
        description: the question that it answers.
        rows: from top to bottom.
        variables: names of template variables.
        since: begin of the time range.
        annotation: a query whose results are marked on every panel over time.
    """

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[str, ...] = KEPT
    since: str = "now-24h"
    annotation: Prom | None = None


OVERVIEW: Final = Board(
    uids.OVERVIEW,
    "Cost overview",
    "What is spent, by whom, and where the month will end.",
    (
        Row("Start here", 6, ((overview.START, 12), (overview.DO, 12))),
        Row(
            "Money",
            4,
            (
                (overview.NOW, 3),
                (overview.TODAY, 3),
                (overview.MONTH, 3),
                (overview.CALLS, 3),
                (overview.CALL_MEAN, 3),
                (overview.EXCEED, 3),
                (overview.FORECAST, 6),
            ),
        ),
        Row("Trust and budgets", 6, ((overview.TRUST, 8), (overview.USED, 8), (overview.AGAINST_BUDGET, 8))),
        Row("Who spends", 9, ((overview.BY_LABEL, 12), (overview.TOP_LABELS, 12))),
        Row("On which models", 8, ((overview.BY_MODEL, 12), (overview.TOP_MODELS, 12))),
        Row("At which providers", 8, ((overview.BY_PROVIDER, 12), (overview.TOP_PROVIDERS, 12))),
    ),
    annotation=insight_queries.MARKS,
)

SECTIONS: Final = Board(
    uids.SECTIONS,
    "Semantic sections",
    "Which part of the code spends the money.",
    (
        Row("Sections", 9, ((sections.TABLE, 14), (sections.SHARES, 10))),
        Row("Over time", 9, ((sections.TREND, 12), (sections.HEAT_MAP, 12))),
        Row("Why", 8, ((sections.CALLS, 8), (sections.CALL_COST, 8), (sections.BY_OPERATION, 8))),
        Row("With which models", 8, ((sections.BY_MODEL, 14), (sections.COUNT_OF, 3), (sections.DO, 7))),
        Row("Down to the code (from traces)", 10, ((sections.FUNCTIONS, 12), (sections.FUNCTION_CALLS, 12))),
        Row("Without a section (from traces)", 8, ((sections.UNTRACKED, 24),)),
    ),
)

TRACES: Final = Board(
    uids.TRACES,
    "Traces and execution",
    "The dearest traces and calls; workflows, agents and tools.",
    (
        Row("Cost of a call", 8, ((traces.QUANTILES, 9), (traces.CALL_COST, 9), (traces.DO, 6))),
        Row("Dearest (from traces)", 10, ((traces.DEAR_TRACES, 12), (traces.DEAR_CALLS, 12))),
        Row("Who works (from traces)", 8, ((traces.WORKFLOWS, 8), (traces.AGENTS, 8), (traces.TOOLS, 8))),
        Row("Nested sections and users (from traces)", 8, ((traces.PATHS, 8), (traces.USERS, 8), (traces.OF_USER, 8))),
        Row("What went wrong (from traces)", 8, ((traces.FAILED, 12), (traces.BLOCKED, 12))),
        Row("How calls end (from traces)", 8, ((traces.OUTCOMES, 12), (traces.REPEATED, 12))),
    ),
    variables=(*KEPT, "least", "user"),
)

BUDGETS: Final = Board(
    uids.BUDGETS,
    "Budgets",
    "What may still be spent, how long it lasts, and what the budgets decided.",
    (
        Row("Now", 7, ((budgets.GAUGES, 12), (budgets.SHORTEST, 4), (budgets.BLOCKED, 3), (budgets.DECIDED, 5))),
        Row("Each budget", 9, ((budgets.TABLE, 16), (budgets.DO, 8))),
        Row("Over time", 8, ((budgets.USED, 12), (budgets.STATES, 12))),
        Row("Money", 8, ((budgets.SPENT, 12), (budgets.RESERVED, 12))),
        Row("Decisions", 8, ((budgets.DECISIONS, 12), (budgets.BLOCKED_BY_LABEL, 12))),
        Row("Users", 8, ((budgets.USERS, 12), (traces.USERS, 12))),
    ),
)

INSIGHT: Final = Board(
    uids.INSIGHT,
    "Forecast and anomalies",
    "Where the month will end, and what is out of the ordinary and why.",
    (
        Row("Now", 6, ((insight.END, 8), (insight.EXCEED_NOW, 8), (insight.OPEN_NOW, 4), (insight.OPENED, 4))),
        Row("Forecast", 10, ((insight.FAN, 14), (insight.EXCEED, 10))),
        Row("By section and budget", 8, ((insight.BY_LABEL, 12), (insight.BY_BUDGET, 12))),
        Row("Incidents", 8, ((insight.OPEN, 12), (insight.BY_CAUSE, 12))),
        Row("Causes", 9, ((insight.REPORTS, 14), (insight.DO, 10))),
        Row("In words", 8, ((insight.INCIDENTS, 24),)),
    ),
    annotation=insight_queries.MARKS,
)

PERFORMANCE: Final = Board(
    uids.PERFORMANCE,
    "Performance",
    "How fast and how reliably the models answer.",
    (
        Row(
            "Now",
            4,
            (
                (performance.P95_NOW, 6),
                (performance.FIRST_CHUNK_NOW, 6),
                (performance.SPEED_NOW, 6),
                (performance.ERROR_SHARE, 6),
            ),
        ),
        Row("Duration", 8, ((performance.DURATION, 8), (performance.DURATION_OF_MODEL, 8), (performance.DURATIONS, 8))),
        Row("Streams", 8, ((performance.FIRST_CHUNK, 8), (performance.CHUNK_GAP, 8), (performance.TOKEN_SPEED, 8))),
        Row("Failures", 8, ((performance.BY_TYPE, 8), (performance.BY_MODEL, 8), (performance.REPEATABLE, 8))),
        Row("Load", 8, ((performance.CALL_RATE, 8), (performance.RETRIES, 8), (performance.DO, 8))),
    ),
)

MODELS: Final = Board(
    uids.MODELS,
    "Models and tokens",
    "What the models are used for, and what their tokens cost.",
    (
        Row(
            "Tokens",
            4,
            ((models.INPUT, 5), (models.OUTPUT, 5), (models.CACHE_SHARE, 4), (models.SAVED, 4), (models.PRICE, 6)),
        ),
        Row("Models", 9, ((models.TABLE, 16), (models.DO, 8))),
        Row("Over time", 8, ((models.INPUT_TREND, 12), (models.OUTPUT_TREND, 12))),
        Row("A call", 8, ((models.OF_CALL, 12), (models.PRICE_TREND, 12))),
        Row("Classes of tokens", 8, ((models.BY_CLASS, 12), (models.MONEY_BY_CLASS, 12))),
        Row("Cache and reasoning", 8, ((models.SAVED_BY_MODEL, 12), (models.REASONING_SHARE, 12))),
    ),
)

HEALTH: Final = Board(
    uids.HEALTH,
    "Health of llmcost",
    "Whether llmcost sees, prices and delivers everything.",
    (
        Row(
            "Now",
            4,
            (
                (health.ERRORS, 4),
                (health.UNPRICED, 4),
                (health.UNSEEN, 4),
                (health.STORE_DROPPED, 4),
                (health.OVERHEAD_NOW, 4),
                (health.REPORTING, 4),
            ),
        ),
        Row("Who reports", 10, ((health.ADOPTION, 14), (health.DO, 10))),
        Row("Costs", 8, ((health.STATUS_TREND, 12), (health.BY_STATUS, 12))),
        Row(
            "What llmcost takes",
            7,
            (
                (health.OVERHEAD_TREND, 10),
                (health.OVERHEAD_SHARE, 4),
                (health.STORE_WAITING, 6),
                (health.SERIES_DROPPED, 4),
            ),
        ),
        Row(
            "Delivery",
            7,
            ((health.QUEUE, 6), (health.DROPPED, 6), (health.COLLECTOR, 6), (health.COLLECTOR_QUEUE, 6)),
        ),
        Row("Gaps", 8, ((health.UNPRICED_MODELS, 8), (health.UNSEEN_HOSTS, 8), (health.ERRORS_BY_PLACE, 8))),
    ),
)

BOARDS: Final = (OVERVIEW, SECTIONS, TRACES, BUDGETS, INSIGHT, PERFORMANCE, MODELS, HEALTH)
