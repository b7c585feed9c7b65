"""The panels on delivery, asked of a running stack: the queue of the program's SDK, and the collector's own metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.programs import write
from stack.asking import Asking, until
from stack.programs import observed, settings

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def test_queue_and_collector_are_seen(running: Asking, tmp_path: Path) -> None:
    from grafana.queries import health

    own = {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}
    observed(write(tmp_path, "calls(20)\n"), settings(running.stack.endpoint, "own", tmp_path / "store", **own))
    for query in (health.QUEUE, health.COLLECTOR_TAKEN, health.COLLECTOR_QUEUE):
        expr = re.sub(r"\$\w+", ".*", query.expr.replace("$__rate_interval", "1m").replace("$service", "own"))
        assert until(lambda expr=expr: running.series(expr)), expr  # type: ignore[misc]
