"""The names derived from semconv are those that a real Prometheus makes of the same metrics."""

from __future__ import annotations

import pytest
from stack.dashboards.conftest import Filled

from grafana import names
from llmcost import semconv

pytestmark = pytest.mark.slow

SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
NOT_IN_THE_DAY = (
    semconv.CALLS_UNSEEN,
    semconv.INTERNAL_ERRORS,
    semconv.STORE_DROPPED,
    semconv.SERIES_DROPPED,
    *semconv.EXEMPLARS_OF.values(),
)
ALL = (*semconv.METRICS, *semconv.METRICS_OF_OTHERS)
IN_THE_DAY = [metric for metric in ALL if metric not in NOT_IN_THE_DAY]
OURS = {names.series(metric) + suffix for metric in IN_THE_DAY for suffix in SUFFIXES[metric.kind]}


def test_metric_names_are_derived_as_prometheus_makes_them(filled: Filled) -> None:
    assert filled.server.names() - {"target_info"} == OURS


@pytest.mark.parametrize("metric", IN_THE_DAY, ids=lambda metric: metric.name)
def test_labels_are_those_of_the_row(metric: semconv.Metric, filled: Filled) -> None:
    name = names.series(metric) + SUFFIXES[metric.kind][-1]
    found = {label for series in filled.server.ask(name, filled.end) for label in series["metric"]}
    ours = {names.label(attribute) for attribute in (*metric.attributes, *names.RESOURCE_ATTRIBUTES)}
    assert found - {"__name__", "job", "instance"} <= ours
    assert names.label(names.SERVICE) in found
