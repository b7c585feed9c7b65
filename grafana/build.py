"""From the rows of a dashboard to the JSON that Grafana reads."""

from __future__ import annotations

import json
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, prometheus, tempo, text
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import dashboard as schema
from grafana_foundation_sdk.models import prometheus as prometheus_schema
from grafana_foundation_sdk.models import tempo as tempo_schema
from grafana_foundation_sdk.models import text as text_schema

from grafana import uids
from grafana.boards import Board, Row
from grafana.draw import DRAW, Drawn
from grafana.panels import Column, Panel, Text
from grafana.query import Prom, Query, TraceQL
from grafana.style import SHARE, USD, Steps
from grafana.variables import KEPT, PROMETHEUS, TEMPO, variable
from llmcost import semconv

_LETTERS: Final = "ABCDEFGHIJKLMNOP"
_FORMS: Final = {
    "range": prometheus_schema.PromQueryFormat.TIME_SERIES,
    "instant": prometheus_schema.PromQueryFormat.TIME_SERIES,
    "table": prometheus_schema.PromQueryFormat.TABLE,
}


def build(board: Board) -> dict[str, Any]:
    """The whole dashboard as plain data."""
    made = (
        dashboard.Dashboard(f"llmcost: {board.title}")
        .uid(board.uid)
        .description(board.description)
        .tags([uids.TAG])
        .time(board.since, "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(schema.DashboardCursorSync.CROSSHAIR)
        .editable()
        .link(_all_dashboards())
    )
    for name in board.variables:
        made.with_variable(variable(name))
    if board.annotation is not None:
        made.annotation(_annotation(board.annotation))
    number = 0
    for row in board.rows:
        made.with_row(dashboard.Row(row.title).id(number := number + 1))
        for shown, width in row.cells:
            made.with_panel(_placed(shown, row, width).id(number := number + 1))
    return json.loads(json.dumps(made.build(), cls=JSONEncoder))  # type: ignore[no-any-return]


def _all_dashboards() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("llmcost")
        .type(schema.DashboardLinkType.DASHBOARDS)
        .tags([uids.TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )


def _annotation(query: Prom) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(query.legend)
        .datasource(PROMETHEUS)
        .expr(query.expr)
        .enable(True)
        .icon_color("red")
    )


def _placed(shown: Panel | Text, row: Row, width: int) -> Drawn | text.Panel:
    place = schema.GridPos(w=width, h=row.height)
    if isinstance(shown, Text):
        return (
            text.Panel().title(shown.title).mode(text_schema.TextMode.MARKDOWN).content(shown.content).grid_pos(place)
        )
    return _panel(shown, width).grid_pos(place)


def _panel(panel: Panel, width: int) -> Drawn:
    made = DRAW[panel.kind](panel, width)
    of_traces = isinstance(panel.queries[0], TraceQL)
    made.title(panel.title).datasource(TEMPO if of_traces else PROMETHEUS)
    made.unit(panel.unit).thresholds(_thresholds(panel.steps))
    if panel.help:
        made.description(panel.help)
    if panel.since:
        made.time_from(panel.since)
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.most is not None:
        made.max(panel.most)
    made.no_value(_no_value(panel))
    for letter, query in zip(_LETTERS, panel.queries, strict=False):
        made.with_target(_target(query, letter, heat=panel.kind == "heat"))
    if panel.link is not None:
        name, holder = panel.link
        made.data_links([_link(panel.target, name, "${__field.labels." + holder + "}")])
    if panel.kind == "table":
        _columns(made, panel, of_traces=of_traces)
    if panel.kind == "fan":
        _bands(made, panel)
    return made


def _no_value(panel: Panel) -> str:
    healthy = next((each.empty_when_healthy for each in panel.queries if isinstance(each, Prom)), "")
    if panel.kind == "table":
        return "-"
    return f"none: {healthy}" if healthy else "no data"


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    colours = [schema.Threshold(color=steps.base), *(schema.Threshold(value, color) for value, color in steps.steps)]
    return dashboard.ThresholdsConfig().mode(schema.ThresholdsMode.ABSOLUTE).steps(colours)


def _target(query: Query, letter: str, *, heat: bool) -> Builder[Dataquery]:
    if isinstance(query, Prom):
        asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend or "__auto").ref_id(letter)
        asked.format(prometheus_schema.PromQueryFormat.HEATMAP if heat else _FORMS[query.form])
        asked = asked.range() if query.form == "range" else asked.instant()
        return asked.exemplar(query.exemplars).datasource(PROMETHEUS)
    traces = tempo.TempoQuery().query(query.query).query_type("traceql").ref_id(letter).limit(50).datasource(TEMPO)
    if query.form in {"traces", "spans"}:
        return traces.table_type(tempo_schema.SearchTableType(query.form))
    return traces.metrics_query_type(tempo_schema.MetricsQueryType(query.form))


# --- links and columns ------------------------------------------------------------------------------------------


def _address(uid: str, name: str, value: str) -> str:
    kept = "&".join("${" + each + ":queryparam}" for each in KEPT if each != name)
    return f"/d/{uid}?${{__url_time_range}}&{kept}&var-{name}={value}"


def _link(uid: str, name: str, value: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Show this alone")
        .type(schema.DashboardLinkType.LINK)
        .url(_address(uid, name, value))
        .target_blank(False)
    )


def _columns(made: Drawn, panel: Panel, *, of_traces: bool) -> None:
    """Name, order, format and link the columns; queries of a table are merged into one, a row for each series."""
    if of_traces:
        made.override_by_name(semconv.COST_TOTAL, [schema.DynamicConfigValue("unit", USD)])
        return
    made.with_transformation(schema.DataTransformerConfig("merge", options={}))
    legends = [query.legend for query in panel.queries if isinstance(query, Prom)]
    values = {legend: f"Value #{letter}" for letter, legend in zip(_LETTERS, legends, strict=False)}
    if len(legends) == 1:
        values = {legends[0]: "Value"}
    fields = {values.get(name, name): column for name, column in panel.columns.items()}
    options = {
        "includeByName": dict.fromkeys(fields, True),
        "indexByName": {name: place for place, name in enumerate(fields)},
        "renameByName": {name: column.title for name, column in fields.items()},
    }
    made.with_transformation(schema.DataTransformerConfig("organize", options=options))
    if panel.order:
        order = {"fields": {}, "sort": [{"field": panel.order, "desc": True}]}
        made.with_transformation(schema.DataTransformerConfig("sortBy", options=order))
    for column in panel.columns.values():
        if properties := _properties(column):
            made.override_by_name(column.title, properties)


def _properties(column: Column) -> list[schema.DynamicConfigValue]:
    properties = []
    if column.unit:
        properties.append(schema.DynamicConfigValue("unit", column.unit))
    if column.steps is not None:
        steps = _thresholds(column.steps).build()
        properties.append(schema.DynamicConfigValue("thresholds", steps))
        properties.append(schema.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        properties.append(schema.DynamicConfigValue("color", {"mode": "thresholds"}))
    if column.unit == SHARE and column.steps is None:
        properties.append(schema.DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"}))
        properties.append(schema.DynamicConfigValue("min", 0))
        properties.append(schema.DynamicConfigValue("max", 1))
    if column.link:
        address = _address(column.target, column.link, "${__value.text}")
        properties.append(schema.DynamicConfigValue("links", [{"title": "Show this alone", "url": address}]))
    return properties


def _bands(made: Drawn, panel: Panel) -> None:
    """Fill from each ``upper`` series down to its ``lower`` one; dash what is called a limit."""
    names = [query.legend for query in panel.queries if isinstance(query, Prom)]
    for name in names:
        lower = name.replace("upper", "lower")
        if lower != name:
            band = [
                schema.DynamicConfigValue("custom.fillBelowTo", lower),
                schema.DynamicConfigValue("custom.fillOpacity", 15),
            ]
            made.override_by_name(name, band)
    dashes = schema.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})
    red = schema.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "red"})
    made.override_by_regexp("/limit.*/", [dashes, red])
