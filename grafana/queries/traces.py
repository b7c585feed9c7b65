"""Single calls and whole traces: the dearest, by workflow, agent, tool and user."""

from __future__ import annotations

from typing import Final

from grafana.promql import pointing, quantile, selector, speed
from grafana.query import Prom
from grafana.traceql import COSTLY, SCOPE, SHOWN, count, dear_traces, search, span, spend
from llmcost import semconv

DEAR_TRACES: Final = dear_traces(COSTLY, "$least")
DEAR_CALLS: Final = search(f"{COSTLY} && {span(semconv.COST_TOTAL)} > $least")
FAILED: Final = search(
    f"{SCOPE} && {span(semconv.ERROR_TYPE)} != nil",
    semconv.ERROR_TYPE,
    semconv.ERROR_CODE,
    semconv.REQUEST_MODEL,
    semconv.SEMANTIC_LABEL,
    semconv.COST_STATUS,
)
BLOCKED: Final = search(
    f'{SCOPE} && {span(semconv.BUDGET_ACTION)} =~ "block|degrade"',
    semconv.BUDGET_ACTION,
    semconv.BUDGET_NAME,
    semconv.REQUESTED_MODEL,
    semconv.REQUEST_MODEL,
    semconv.SEMANTIC_LABEL,
)
WORKFLOWS: Final = spend(COSTLY, semconv.WORKFLOW_NAME)
AGENTS: Final = spend(COSTLY, semconv.AGENT_NAME)
TOOLS: Final = spend(f'{COSTLY} && {span(semconv.SECTION_PATH)} =~ ".*tool:.*"', semconv.SECTION_PATH)
PATHS: Final = spend(f"{COSTLY} && {span(semconv.SECTION_PATH)} != nil", semconv.SECTION_PATH)
USERS: Final = spend(f"{COSTLY} && {span(semconv.USER_ID)} != nil", semconv.USER_ID)
OF_USER: Final = search(f'{COSTLY} && {span(semconv.USER_ID)} =~ "$user"', semconv.USER_ID, *SHOWN)
REPEATED: Final = search(f"{SCOPE} && {span(semconv.ATTEMPTS)} > 1", semconv.ATTEMPTS, *SHOWN)
OUTCOMES: Final = count(SCOPE, semconv.CALL_OUTCOME)

CALL_COST: Final = Prom(
    pointing(speed(selector(semconv.CALL_COST, "_bucket"), "le"), semconv.CALL_COST),
    "{{le}}",
    exemplars=True,
)
P50: Final = Prom(pointing(quantile(0.5, semconv.CALL_COST), semconv.CALL_COST), "p50", exemplars=True)
P95: Final = Prom(quantile(0.95, semconv.CALL_COST), "p95")
P99: Final = Prom(quantile(0.99, semconv.CALL_COST), "p99")
