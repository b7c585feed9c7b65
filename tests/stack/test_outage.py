"""Collectors that are away: the program goes on, the local store is exact, and what is missing elsewhere is known.

An outage of ten minutes is simulated by one that lasts as long as the program runs: the exporters give up after three
seconds each, so that a longer outage is more of the same.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from e2e.otlp_receiver import receiving
from e2e.programs import COST, write
from stack.asking import until
from stack.collectors import collector
from stack.programs import TWO_DOLLARS, observed, settings, stats

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

_QUEUED = re.compile(
    r'^otelcol_exporter_(?:queue_size|in_flight_requests)\{.*?exporter="([^"]+)".*?\} (\d+)', re.MULTILINE
)
QUICK = {"DECISION_WAIT": "1s", "PUSH_INTERVAL": "1s"}


def test_what_is_spent_while_no_collector_listens_is_missing_there_and_only_there(tmp_path: Path) -> None:
    store = tmp_path / "store"
    cheap, dear = write(tmp_path, "calls(10)\n"), write(tmp_path, TWO_DOLLARS, "dear.py")
    with receiving() as backend, collector("local.yaml", tmp_path / "c", backend.url, BATCH_TIMEOUT="200ms") as stack:
        env = settings(stack.endpoint, "app", store)
        observed(cheap, env)
        until(lambda: len(backend.spans) == 10)
        stack.stop("collector")
        observed(dear, env)
        stack.start_collector("local.yaml", {"TRACES_ENDPOINT": backend.url})
        observed(cheap, env)
        until(lambda: len(backend.spans) == 20)
    assert stats(store)["cost"] == pytest.approx(2.0 + 20 * COST)
    assert sum(attributes["llm.cost.total"] for _, attributes in backend.spans) == pytest.approx(20 * COST)


def test_a_killed_gateway_delivers_from_its_disk_what_its_backend_could_not_take(tmp_path: Path) -> None:
    app = write(tmp_path, TWO_DOLLARS)
    with receiving() as later:
        port = later.port
    nobody = f"http://127.0.0.1:{port}"
    with collector("gateway.yaml", tmp_path / "c", nobody, **QUICK) as stack:
        observed(app, settings(stack.endpoint, "app", tmp_path / "store"))
        until(lambda: _queued(stack.url("SELF_PORT")) == {"otlp_http/prometheus", "otlp_http/traces"})
        stack.stop("collector", signal.SIGKILL)
        with receiving(port) as backend:
            backends = {"TRACES_ENDPOINT": backend.url, "PROMETHEUS_ENDPOINT": backend.url}
            stack.start_collector("gateway.yaml", {**QUICK, **backends})
            until(lambda: bool(backend.spans) and backend.total("llm.cost") > 0)
    assert stats(tmp_path / "store")["cost"] == pytest.approx(2.0)
    assert backend.total("llm.cost") == pytest.approx(2.0)
    assert [attributes["llm.cost.total"] for _, attributes in backend.spans] == [pytest.approx(2.0)]


def _queued(collector_url: str) -> set[str]:
    """The exporters that have something on disk or in flight: what they hold has been tried and is not delivered."""
    from deploy.processes import fetch

    page = (fetch(f"{collector_url}/metrics") or b"").decode()
    found = re.findall(
        r'^otelcol_exporter_(?:queue_size|in_flight_requests)\{.*?exporter="([^"]+)".*?\} (\d+)', page, re.MULTILINE
    )
    return {name for name, size in found if int(size) > 0}
