"""Workers, restarts, hosts, users, temporalities and histograms: the sums are right and the series few."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from e2e.programs import COST, RUN, environment, write
from e2e.test_servers import free_port
from stack.asking import Asking, until
from stack.programs import observed, settings, stats

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

CUMULATIVE = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "cumulative"}

FORKS = """
import os
def worker():
    calls(5)
for _ in range(4):
    if not os.fork():
        worker()
        raise SystemExit
for _ in range(4):
    os.wait()
"""

USERS = """
import llmcost
with client() as made:
    for number in range(10_000):
        with llmcost.context(user_id=f"user-{number}", session_id=f"session-{number}"):
            summarize(made)
"""

WSGI = """
def app(environ, start_response):
    calls(1)
    start_response("200 OK", [])
    return [b"done"]
"""


def total(service: str) -> str:
    return f'sum(llm_cost_total{{service_name="{service}"}})'


def same_names(running: Asking, one: str, other: str, *, twins: bool = True) -> tuple[dict[str, float], ...]:
    """How many series each metric of two services has, as soon as they have as many.

    The twins that keep exemplars come by a pipeline of their own, so they may arrive after the sums.
    """

    def ask() -> tuple[dict[str, float], ...]:
        found = [running.names(service) for service in (one, other)]
        return tuple({name: n for name, n in each.items() if twins or "_exemplars_" not in name} for each in found)

    return until(ask, lambda got: got[0] == got[1])


def test_forked_workers_add_up(running: Asking, tmp_path: Path) -> None:
    observed(write(tmp_path, FORKS), settings(running.stack.endpoint, "workers", tmp_path / "store"))
    assert stats(tmp_path / "store")["cost"] == pytest.approx(20 * COST)
    assert running.reaches(total("workers"), 20 * COST) == pytest.approx(20 * COST)


@pytest.mark.parametrize("preference", [{}, CUMULATIVE], ids=["delta", "cumulative"])
def test_restarts_on_several_hosts_add_up(running: Asking, tmp_path: Path, preference: dict[str, str]) -> None:
    """Also of programs that send cumulative counters: each run starts anew at 0."""
    app, service = write(tmp_path, "calls(3)\n"), f"hosts-{len(preference)}"
    for host in ("a", "b", "a"):
        more = {"OTEL_RESOURCE_ATTRIBUTES": f"host.name={host}", **preference}
        observed(app, settings(running.stack.endpoint, service, tmp_path / "store", **more))
    assert running.reaches(total(service), 9 * COST) == pytest.approx(9 * COST)
    assert running.reaches(f'count(llm_cost_total{{service_name="{service}"}})', 1) == 1


def test_ten_thousand_users_add_no_series(running: Asking, tmp_path: Path) -> None:
    few, many = write(tmp_path, USERS.replace("10_000", "20"), "few.py"), write(tmp_path, USERS, "many.py")
    more = {"OTEL_TRACES_EXPORTER": "none"}
    for service, app in (("few", few), ("many", many)):
        observed(app, settings(running.stack.endpoint, service, tmp_path / service, **more))
    assert running.reaches(total("many"), 10_000 * COST, 1e-6) == pytest.approx(10_000 * COST)
    few_names, many_names = same_names(running, "few", "many")
    assert few_names == many_names


def test_both_ways_to_prometheus_give_the_same_names(running: Asking, tmp_path: Path) -> None:
    """Pushed to Prometheus's own receiver, without a collector, and scraped from the collector."""
    app = write(tmp_path, "calls(2)\n")
    pushed = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{running.stack.url('PROMETHEUS_PORT')}/api/v1/otlp/v1/metrics",
        **CUMULATIVE,
    }
    observed(app, settings(running.stack.endpoint, "scraped", tmp_path / "store"))
    observed(app, settings(running.stack.endpoint, "pushed", tmp_path / "store", **pushed))
    for service in ("scraped", "pushed"):
        assert running.reaches(total(service), 2 * COST) == pytest.approx(2 * COST)
    scraped, direct = same_names(running, "scraped", "pushed", twins=False)
    assert set(scraped) == set(direct)
    expected = {"llm_cost_total", "llmcost_call_cost_bucket", "gen_ai_client_operation_duration_seconds_sum"}
    assert expected <= set(scraped)


def test_native_histograms_arrive_where_they_are_switched_on(running: Asking, tmp_path: Path) -> None:
    more = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}
    app = write(tmp_path, "calls(4)\n")
    observed(app, settings(running.stack.endpoint, "native", tmp_path / "store", **more))
    query = 'histogram_count(sum(llmcost_call_cost{service_name="native"}))'
    assert running.reaches(query, 4) == 4


def test_gunicorn_workers_that_are_replaced_add_up(running: Asking, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn", reason="needs gunicorn (dependency group 'servers')")
    from deploy.processes import fetch

    write(tmp_path, WSGI)
    address = f"127.0.0.1:{free_port()}"
    command = [*RUN, "-m", "gunicorn", "app:app", "--workers", "2", "--max-requests", "6", "--bind", address]
    env = environment(settings(running.stack.endpoint, "gunicorn", tmp_path / "store"))
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL) as server:
        answers = [until(lambda: fetch(f"http://{address}/")) for _ in range(30)]
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    assert answers == [b"done"] * 30
    assert stats(tmp_path / "store")["cost"] == pytest.approx(30 * COST)
    assert running.reaches(total("gunicorn"), 30 * COST) == pytest.approx(30 * COST)
