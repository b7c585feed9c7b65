"""The example program, exported as users export it: collector, trace store, Prometheus and local store agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e.programs import COST, write
from stack.asking import Asking, tags, until
from stack.programs import observed, settings, stats

from llmcost import semconv
from llmcost.cli import demo

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SERVICE = "newsroom"
ROUNDING = 1e-9
"""USD. The store counts whole nano-dollars a call; Prometheus adds doubles."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The stack after the example ran, and what the local store says of it."""

    asking: Asking
    store: dict[str, Any]


@pytest.fixture(scope="module")
def newsroom(running: Asking, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    store, place = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("program") / SERVICE
    folder, program = demo.examples_folder(), demo.choose_program()
    demo.copied(folder / "newsroom", program, place)
    with demo.provider_server(folder) as port:
        environment = demo.demo_environment(os.environ, port, store) | settings(running.stack.endpoint, SERVICE, store)
        for arguments in (("scan", "."), ("run", "--", sys.executable, "-m", program.module)):
            command = [sys.executable, "-m", "llmcost", *arguments]
            subprocess.run(command, env=environment, cwd=place, check=True, capture_output=True, timeout=240)
    return Ran(running, stats(store))


def test_prometheus_has_the_sum_of_the_store(newsroom: Ran) -> None:
    total = f'sum(llm_cost_total{{service_name="{SERVICE}"}})'
    expected = newsroom.store["cost"]
    assert newsroom.asking.reaches(total, expected, ROUNDING * newsroom.store["calls"]) == pytest.approx(
        expected, abs=ROUNDING * newsroom.store["calls"]
    )


def test_prometheus_has_the_sum_of_each_section_and_model(newsroom: Ran) -> None:
    for label, by in (("llm_semantic_label", "by_label"), ("gen_ai_request_model", "by_model")):
        expected = {name: cost for name, cost in newsroom.store[by].items() if cost}
        query = f'sum by ({label}) (llm_cost_total{{service_name="{SERVICE}"}}) > 0'
        found = newsroom.asking.series_of(query, len(expected))
        sums = {series["metric"][label]: float(series["value"][1]) for series in found}
        assert sums == pytest.approx(expected, abs=1e-7)


def test_prometheus_counts_every_call(newsroom: Ran) -> None:
    query = f'sum(llmcost_calls_total{{service_name="{SERVICE}"}})'
    assert newsroom.asking.reaches(query, newsroom.store["calls"]) == newsroom.store["calls"]


def test_increase_is_exact_where_it_is_anchored(newsroom: Ran) -> None:
    query = f'sum(increase(llm_cost_total{{service_name="{SERVICE}"}}[1h] anchored))'
    expected = newsroom.store["cost"]
    assert newsroom.asking.reaches(query, expected, 1e-7) == pytest.approx(expected, abs=1e-7)


def test_the_recording_rules_say_the_same(newsroom: Ran) -> None:
    from deploy.processes import HERE

    rules = (HERE / "rules.yaml").read_text(encoding="utf-8")
    expressions = [line.split("expr: ")[1] for line in rules.splitlines() if "expr: " in line]
    assert len(expressions) == 3
    selected = f'llm_cost_total{{service_name="{SERVICE}"}}'
    for expression in expressions:
        query = f"sum({expression.replace('llm_cost_total', selected)})"
        assert newsroom.asking.reaches(query, newsroom.store["cost"], 1e-7) == pytest.approx(newsroom.store["cost"])


def test_a_trace_is_found_by_its_label_with_its_cost(newsroom: Ran) -> None:
    def found() -> float:
        traces = newsroom.asking.traces(SERVICE, llm__semantic_label="summarization")
        spans = [tags(each) for trace in traces for each in trace]
        labelled = [each for each in spans if each.get(semconv.SEMANTIC_LABEL) == "summarization"]
        return sum(float(each[semconv.COST_TOTAL]) for each in labelled)

    expected = pytest.approx(newsroom.store["by_label"]["summarization"])
    assert until(found, lambda got: got == expected) == expected


def test_an_exemplar_leads_from_the_money_to_the_trace(newsroom: Ran) -> None:
    selector = f'llm_cost_total{{service_name="{SERVICE}", llm_semantic_label="content_generation"}}'
    exemplars = until(lambda: list(newsroom.asking.exemplars(selector)))
    trace_id, value = exemplars[0]

    def costs() -> list[float]:
        spans = [tags(each) for each in newsroom.asking.trace(trace_id)]
        return [each[semconv.COST_TOTAL] for each in spans if each.get(semconv.SEMANTIC_LABEL) == "content_generation"]

    assert until(costs)[0] == pytest.approx(value)


def exemplars_of(running: Asking, asked: str, count: int) -> set[tuple[str, float]]:
    """The exemplars of a query, as soon as there are so many."""
    return until(lambda: set(running.exemplars(asked)), lambda got: len(got) == count)


NATIVE = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}


@pytest.mark.parametrize(("service", "kind"), [("again", {}), ("again-native", NATIVE)], ids=["classic", "native"])
def test_each_program_has_an_exemplar_where_deltas_are_added_up(
    running: Asking, tmp_path: Path, service: str, kind: dict[str, str]
) -> None:
    """The panel's query names the twin that keeps them: the series itself has that of its first call only."""
    from grafana.promql import pointing, quantile

    asked = pointing(quantile(0.5, semconv.CALL_COST), semconv.CALL_COST)
    asked = re.sub(r"\$\w+", ".*", asked.replace("$__rate_interval", "1m").replace("$service", service))
    app = write(tmp_path, "calls(1)\n")
    for count in (1, 2):
        observed(app, settings(running.stack.endpoint, service, tmp_path / "store", **kind))
        found = exemplars_of(running, asked, count)
        assert len(found) == count
    traces = until(lambda: running.traces(service), lambda got: len(got) == 2)
    assert {trace_id for trace_id, _ in found} == {trace[0]["traceID"] for trace in traces}
    assert [value for _, value in found] == pytest.approx([COST, COST])
    assert running.value(asked) is not None


def test_one_percent_head_sampling_leaves_the_money_exact(running: Asking, tmp_path: Path) -> None:
    """The first id that is sampled at 1 % comes by chance: of 200 traces about two are kept, never all."""
    app = write(tmp_path, "calls(200)\n")
    sampler = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
    observed(app, settings(running.stack.endpoint, "sampled", tmp_path / "store", **sampler))
    assert stats(tmp_path / "store")["cost"] == pytest.approx(200 * COST)
    assert running.reaches('sum(llm_cost_total{service_name="sampled"})', 200 * COST) == pytest.approx(200 * COST)
    assert len(running.traces("sampled")) < 30
