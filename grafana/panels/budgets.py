"""Panels of budgets."""

from __future__ import annotations

from typing import Final

from grafana.names import label
from grafana.panels import Column, Panel, Text
from grafana.queries import budgets
from grafana.style import A_MINUTE, BUDGET, COUNT, FEW, LEFT, SECONDS, SHARE, USD
from llmcost import semconv

_NAMED: Final = {
    label(semconv.BUDGET_NAME): Column("Budget"),
    label(semconv.BUDGET_SCOPE): Column("Scope"),
    label(semconv.BUDGET_VALUE): Column("Value"),
    label(semconv.BUDGET_WINDOW): Column("Window"),
}

TABLE: Final = Panel(
    "Budgets",
    "table",
    (budgets.LIMIT, budgets.SPENT, budgets.RESERVED, budgets.RATIO, budgets.LASTS),
    columns={
        **_NAMED,
        "limit": Column("Limit", USD),
        "spent": Column("Spent", USD),
        "reserved": Column("Reserved", USD),
        "used": Column("Used", SHARE, BUDGET),
        "lasts": Column("Lasts", SECONDS, LEFT),
    },
    order="Used",
    help="Reserved is held by calls in flight. *Lasts* is the time to exhaustion at the pace of the last hour.",
)
GAUGES: Final = Panel("Used", "gauge", (budgets.USED_NOW,), SHARE, BUDGET, most=1, decimals=0)
SHORTEST: Final = Panel(
    "First budget used up in", "stat", (budgets.SHORTEST,), SECONDS, LEFT, help="At the pace of the last hour."
)
BLOCKED: Final = Panel("Refused calls", "stat", (budgets.BLOCKED,), COUNT, FEW, decimals=0)
USED: Final = Panel("Used, over time", "lines", (budgets.USED,), SHARE, BUDGET)
STATES: Final = Panel(
    "State of the budgets",
    "states",
    (budgets.USED,),
    SHARE,
    BUDGET,
    help="Green: all is allowed. Yellow: from 80 %, warned. Orange: from 90 %, degraded. Red: from 100 %, refused. "
    "These are the default thresholds; a budget may have others.",
)
SPENT: Final = Panel("Spent and limit", "fan", (budgets.SPENT_OVER_TIME, budgets.LIMIT_OVER_TIME), USD)
RESERVED: Final = Panel("Reserved by calls in flight", "lines", (budgets.RESERVED_OVER_TIME,), USD)
DECISIONS: Final = Panel("Decisions a minute, by action", "stack", (budgets.DECISIONS,), A_MINUTE)
DECIDED: Final = Panel("Decisions", "bars", (budgets.DECIDED,), COUNT, decimals=0)
BLOCKED_BY_LABEL: Final = Panel("Refused calls, by section", "bars", (budgets.BLOCKED_BY_LABEL,), COUNT, decimals=0)
USERS: Final = Panel(
    "Users that spend most",
    "table",
    (budgets.USERS,),
    columns={label(semconv.USER_ID): Column("User"), "spent": Column("Spent", USD)},
    order="Spent",
    help="Of programs with metric_users set; user ids are no metric attributes otherwise.",
)
DO: Final = Text(
    "What to do",
    """\
- **Used > 80 %**: who spends? *Semantic sections*. A fallback model (`fallbacks`) or a smaller context comes first.
- **Refused calls**: if they should pass, raise the limit in `llmcost.toml`, or `llmcost budget set NAME --limit N`.
- **Reserved stays high**: calls hang, or were killed; holds expire after ten minutes.
- **No budgets here**: `llmcost budget simulate --since 30d` shows what one would have done.
""",
)
