"""From a panel's row to a builder of Grafana's schema: one function for each kind of panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    gauge,
    heatmap,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as schema
from grafana_foundation_sdk.models import heatmap as heat_schema

from grafana.panels import Kind, Panel

Drawn = (
    stat.Panel
    | timeseries.Panel
    | bargauge.Panel
    | gauge.Panel
    | table.Panel
    | heatmap.Panel
    | statushistory.Panel
    | statetimeline.Panel
)
"""The builders of all kinds; they have most of their methods in common."""

_WIDE: Final = 12
_CELLS: Final = 96
"""Steps of time in a panel of cells: a quarter of an hour of a day."""
_NARROWEST: Final = 60
_BY_THRESHOLD: Final = schema.FieldColorModeId.THRESHOLDS
_BY_ORDER: Final = schema.FieldColorModeId.PALETTE_CLASSIC


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _legend(width: int = 0) -> common.VizLegendOptions:
    """A table with the last value and the highest beside a wide panel, a list below a narrow one."""
    if width >= _WIDE:
        table_ = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
        return table_.placement(kinds.LegendPlacement.RIGHT).show_legend(True)
    list_ = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).calcs([])
    return list_.placement(kinds.LegendPlacement.BOTTOM).show_legend(True)


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)


def _palette(mode: schema.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _stat(panel: Panel, _: int) -> Drawn:
    names = kinds.BigValueTextMode.VALUE_AND_NAME if panel.show_names else kinds.BigValueTextMode.VALUE
    return (
        stat.Panel()
        .reduce_options(_last())
        .color_mode(kinds.BigValueColorMode.VALUE)
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .text_mode(names)
        .justify_mode(kinds.BigValueJustifyMode.AUTO)
        .wide_layout(True)
        .color_scheme(_palette(_BY_THRESHOLD))
    )


def _series() -> timeseries.Panel:
    return (
        timeseries.Panel()
        .line_width(1)
        .line_interpolation(kinds.LineInterpolation.LINEAR)
        .show_points(kinds.VisibilityMode.NEVER)
        .span_nulls(300_000)
        .tooltip(_tooltip())
        .color_scheme(_palette(_BY_ORDER))
        .min(0)
    )


def _lines(_: Panel, width: int) -> Drawn:
    return _series().fill_opacity(5).legend(_legend(width))


def _stack(_: Panel, width: int) -> Drawn:
    stacking = common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A")
    return _series().fill_opacity(40).stacking(stacking).legend(_legend(width))


def _fan(_: Panel, width: int) -> Drawn:
    """Bands: each ``upper`` series is filled down to the ``lower`` one of the same name."""
    return _series().fill_opacity(0).legend(_legend(width))


def _bars(_: Panel, __: int) -> Drawn:
    return (
        bargauge.Panel()
        .reduce_options(_last())
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.GRADIENT)
        .value_mode(kinds.BarGaugeValueMode.TEXT)
        .name_placement(kinds.BarGaugeNamePlacement.LEFT)
        .show_unfilled(True)
        .text(common.VizTextDisplayOptions().title_size(13).value_size(16))
        .color_scheme(_palette(_BY_THRESHOLD))
        .min(0)
    )


def _gauge(_: Panel, __: int) -> Drawn:
    return (
        gauge.Panel()
        .reduce_options(_last())
        .show_threshold_markers(True)
        .show_threshold_labels(False)
        .color_scheme(_palette(_BY_THRESHOLD))
        .min(0)
    )


def _table(_: Panel, __: int) -> Drawn:
    return table.Panel().show_header(True).cell_height(kinds.TableCellHeight.SM).min_width(_NARROWEST)


def _heat(panel: Panel, _: int) -> Drawn:
    color = heatmap.HeatmapColorOptions().mode(heat_schema.HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    return (
        heatmap.Panel()
        .max_data_points(_CELLS)
        .calculate(False)
        .color(color)
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .show_color_scale(True)
        .show_legend()
        .cell_gap(1)
    )


def _history(_: Panel, __: int) -> Drawn:
    return (
        statushistory.Panel()
        .max_data_points(_CELLS)
        .show_value(kinds.VisibilityMode.NEVER)
        .row_height(0.9)
        .col_width(0.95)
        .legend(_legend())
        .color_scheme(_palette(schema.FieldColorModeId.CONTINUOUS_BL_YL_RD))
    )


def _states(_: Panel, __: int) -> Drawn:
    return (
        statetimeline.Panel()
        .show_value(kinds.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.9)
        .legend(_legend())
        .color_scheme(_palette(_BY_THRESHOLD))
    )


DRAW: Final[Mapping[Kind, Callable[[Panel, int], Drawn]]] = {
    "stat": _stat,
    "lines": _lines,
    "stack": _stack,
    "fan": _fan,
    "bars": _bars,
    "gauge": _gauge,
    "table": _table,
    "heat": _heat,
    "history": _history,
    "states": _states,
}
