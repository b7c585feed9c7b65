"""The committed dashboards: fresh, of one look, and with no name that llmcost does not know."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from unit.dashboards.dashboards import FILES, FOLDER, panels, queries, read

from grafana import boards, names, uids, write
from grafana.alert_rules import ALERTS
from grafana.style import GREEN, RED, YELLOW
from grafana.variables import KEPT
from llmcost import semconv

SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count", "")}
ROWS = (*semconv.METRICS, *semconv.METRICS_OF_OTHERS)
METRICS = {names.series(metric) + suffix for metric in ROWS for suffix in SUFFIXES[metric.kind]}
ATTRIBUTES = {value for value in vars(semconv).values() if isinstance(value, str)}
ATTRIBUTES |= {name for metric in ROWS for name in metric.attributes} | set(names.RESOURCE_ATTRIBUTES)
LABELS = {names.label(attribute) for attribute in ATTRIBUTES} | {"le", "__name__"}
FUNCTIONS = {
    *(
        "sum",
        "max",
        "min",
        "count",
        "topk",
        "increase",
        "rate",
        "deriv",
        *("histogram_quantile", "histogram_sum", "histogram_count"),
        "sort_desc",
        "clamp_min",
    ),
    *("scalar", "vector", "time", "timestamp", "by", "or", "unless", "offset", "bool", "absent"),
}
every_dashboard = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_all_dashboards_are_there() -> None:
    known = {value for name, value in vars(uids).items() if name.isupper() and name != "TAG"}
    assert {read(path)["uid"] for path in FILES} == {board.uid for board in boards.BOARDS} <= known


def test_what_is_committed_is_what_the_rows_say() -> None:
    assert write.stale() == [], "run: make generated"


@every_dashboard
def test_metrics_and_labels_of_promql_are_in_semconv(path: Path) -> None:
    for title, expr in queries(read(path), "prometheus"):
        assert_known(expr, title)


def test_metrics_and_labels_of_alerts_are_in_semconv() -> None:
    for alert in ALERTS:
        assert_known(alert.expr, alert.name)
        assert set(re.findall(r"\$labels\.(\w+)", alert.summary)) <= LABELS, alert.name


def test_alerts_are_told_by_a_stable_name_with_a_runbook_and_a_dashboard() -> None:
    assert len({alert.uid for alert in ALERTS}) == len(ALERTS)
    for alert in ALERTS:
        assert len(alert.uid) <= 40, "the longest that Grafana takes"
        assert len(alert.runbook) > 50
        assert alert.board in {board.uid for board in boards.BOARDS}


def assert_known(expr: str, title: str) -> None:
    """Every label and metric of a query stands in semconv."""
    inside = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expr))
    grouped = {word for group in re.findall(r"\bby \(([^)]*)\)", expr) for word in re.findall(r"\w+", group)}
    assert inside | grouped <= LABELS, title
    by_name = set(re.findall(r"__name__=~\"(\w+)\(_total\)\?\"", expr))
    assert by_name <= {metric.name for metric in semconv.METRICS_OF_OTHERS}, title
    bare = re.sub(r"\bby \([^)]*\)|\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|offset \w+", " ", expr)
    assert set(re.findall(r"[A-Za-z_]\w*", bare)) - FUNCTIONS <= METRICS, title


@every_dashboard
def test_attributes_of_traceql_are_in_semconv(path: Path) -> None:
    for title, query in queries(read(path), "tempo"):
        asked = set(re.findall(r"\b(?:span|resource)\.([a-z_.]+)", query))
        assert asked, title
        assert asked <= ATTRIBUTES, title


@every_dashboard
def test_legends_and_columns_name_labels(path: Path) -> None:
    for panel in panels(read(path)):
        for target in panel.get("targets", ()):
            assert set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) <= LABELS, panel["title"]
        for transformation in panel.get("transformations", ()):
            columns = set(transformation["options"].get("renameByName", ()))
            assert {name for name in columns if not name.startswith("Value")} <= LABELS, panel["title"]


@every_dashboard
def test_variables_are_declared_and_offered_by_label(path: Path) -> None:
    document = read(path)
    declared = {each["name"] for each in document["templating"]["list"]}
    for panel in panels(document):
        used = {word for target in panel.get("targets", ()) for word in _variables(target)}
        assert {word for word in used if not word.startswith("__")} <= declared, panel["title"]


@every_dashboard
def test_every_dashboard_is_narrowed_in_the_same_ways(path: Path) -> None:
    """And by user where single calls are shown, which name one; metrics do not."""
    declared = [each["name"] for each in read(path)["templating"]["list"]]
    assert declared[: len(KEPT)] == list(KEPT)
    assert {"datasource", "traces", "service", "environment", "label", "model"} <= set(declared)
    assert ("user" in declared) == (read(path)["uid"] == uids.TRACES)


def _variables(target: dict[str, Any]) -> set[str]:
    text = f"{target.get('expr', '')} {target.get('query', '')} {target['datasource']['uid']}"
    return set(re.findall(r"\$\{?(\w+)", text))


@every_dashboard
def test_panels_have_a_place_a_source_and_a_unit(path: Path) -> None:
    document = read(path)
    taken: Counter[tuple[int, int]] = Counter()
    for panel in document["panels"]:
        place = panel["gridPos"]
        across = range(place.get("x", 0), place.get("x", 0) + place["w"])
        assert across.stop <= 24, panel["title"]
        taken.update((x, y) for x in across for y in range(place["y"], place["y"] + place["h"]))
    assert max(taken.values()) == 1
    identities = [panel["id"] for panel in document["panels"]]
    assert len(set(identities)) == len(identities)
    titles = [panel["title"] for panel in document["panels"] if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)
    for panel in panels(document):
        if panel["type"] != "text":
            assert panel["datasource"]["uid"] in {"${datasource}", "${traces}"}
            assert panel["fieldConfig"]["defaults"]["unit"]


@every_dashboard
def test_a_dashboard_says_what_to_do_and_leads_to_the_others(path: Path) -> None:
    document = read(path)
    words = " ".join(panel["options"]["content"] for panel in panels(document) if panel["type"] == "text")
    assert "**" in words
    assert [link["tags"] for link in document["links"]] == [[uids.TAG]]
    assert document["tags"] == [uids.TAG]


@every_dashboard
def test_links_lead_to_dashboards_that_exist(path: Path) -> None:
    known = {board.uid for board in boards.BOARDS}
    targets = re.findall(r"/d/([\w-]+)\?", path.read_text(encoding="utf-8"))
    assert set(targets) <= known


@every_dashboard
def test_thresholds_go_from_good_to_bad_in_the_same_colours(path: Path) -> None:
    for panel in panels(read(path)):
        steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
        colours = [step["color"] for step in steps]
        if len(colours) > 1:
            assert {colours[0], colours[-1]} == {GREEN, RED}, panel["title"]
            assert YELLOW in colours or len(colours) == 2, panel["title"]


@every_dashboard
def test_the_copy_to_import_by_hand_asks_for_the_data_sources(path: Path) -> None:
    original, copy = read(path), read(FOLDER / "import" / path.name)
    inputs = {each["name"]: each["pluginId"] for each in copy.pop("__inputs")}
    assert inputs == {"DS_PROMETHEUS": "prometheus", "DS_TEMPO": "tempo"}
    assert {"grafana", "prometheus", "tempo"} == {each["id"] for each in copy.pop("__requires")}
    for document in (original, copy):
        for variable in document["templating"]["list"]:
            if variable["type"] == "datasource":
                assert document is original or variable.pop("current")["value"].strip("${}") in inputs
                variable.pop("current", None)
    assert copy == original
