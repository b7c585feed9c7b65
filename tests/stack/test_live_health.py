"""The panels on delivery and on llmcost itself, asked of a running stack: what the program's SDK, the collector and
llmcost say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.programs import write
from stack.asking import Asking, until
from stack.programs import observed, settings

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SERVICE = "own"


def test_queue_collector_store_and_overhead_are_seen(running: Asking, tmp_path: Path) -> None:
    from grafana.queries import health

    own = {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}
    observed(write(tmp_path, "calls(20)\n"), settings(running.stack.endpoint, SERVICE, tmp_path / "store", **own))
    for query in (
        *(health.QUEUE, health.COLLECTOR_TAKEN, health.COLLECTOR_QUEUE),
        *(health.STORE_WAITING, health.OVERHEAD_NOW, health.OVERHEAD_SHARE, health.ADOPTED),
    ):
        expr = query.expr.replace("$__rate_interval", "1m").replace("$__range", "1h").replace("$service", SERVICE)
        expr = re.sub(r"\$\w+", ".*", expr)
        assert until(lambda expr=expr: running.series(expr)), expr  # type: ignore[misc]
