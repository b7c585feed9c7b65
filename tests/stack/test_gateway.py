"""The gateway in front of a running Prometheus and Jaeger: sums, exemplars, and the traces that they lead to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.programs import write
from stack.asking import Asking, tags, until
from stack.collectors import collector
from stack.programs import TWO_DOLLARS, observed, settings

from llmcost import semconv

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SERVICE = "behind-a-gateway"
RUNS = 3


def test_exemplars_lead_to_traces_behind_a_gateway(running: Asking, tmp_path: Path) -> None:
    """Each call of $2 is expensive, so that tail sampling keeps its trace."""
    from grafana.promql import pointing, quantile

    asked = pointing(quantile(0.5, semconv.CALL_COST), semconv.CALL_COST)
    asked = re.sub(r"\$\w+", ".*", asked.replace("$__rate_interval", "1m").replace("$service", SERVICE))
    app = write(tmp_path, TWO_DOLLARS)
    ends = {
        "PROMETHEUS_ENDPOINT": f"{running.stack.url('PROMETHEUS_PORT')}/api/v1/otlp",
        "TRACES_ENDPOINT": running.stack.url("TRACES_OTLP_PORT"),
    }
    with collector("gateway.yaml", tmp_path / "c", "", DECISION_WAIT="1s", PUSH_INTERVAL="1s", **ends) as gateway:
        for count in range(1, RUNS + 1):
            observed(app, settings(gateway.endpoint, SERVICE, tmp_path / "store"))
            found = until(lambda: set(running.exemplars(asked)), lambda got: len(got) == count)  # noqa: B023
            assert len(found) == count
        total = f'sum(llm_cost_total{{service_name="{SERVICE}"}})'
        assert running.reaches(total, 2.0 * RUNS) == pytest.approx(2.0 * RUNS)
    assert [value for _, value in found] == pytest.approx([2.0] * RUNS)
    for trace_id, value in found:
        spans = until(lambda: running.trace(trace_id))  # noqa: B023
        assert [tags(span)[semconv.COST_TOTAL] for span in spans] == [pytest.approx(value)]
    assert running.value(asked) is not None
