"""How queries are shown, apart from where: one module for each dashboard, each panel a named row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from grafana.query import Query
from grafana.style import COUNT, PLAIN, Steps

Kind = Literal["stat", "lines", "stack", "fan", "bars", "gauge", "table", "heat", "history", "states"]
"""How a panel shows its values.

``stat``: one number. ``lines``, ``stack``: series over time. ``fan``: a forecast with its bands. ``bars``: bars side by
side. ``heat``: a histogram's buckets over time. ``history``: coloured cells, a row a series. ``states``: bands of a
threshold's colour.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title, unit and thresholds. Columns that are not named are left out.

    ``link`` names the template variable that a click on the cell sets on the dashboard ``target``.
    """

    title: str
    unit: str = ""
    steps: Steps | None = None
    link: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel with a query or several.

    Attributes:
        title: what it shows.
        kind: how.
        queries: what is asked; all of one data source.
        unit: of the values.
        steps: thresholds.
        help: what the number means and what to do where it is bad; shown behind the (i).
        columns: of a table, by the name of the label or of the query's legend.
        since: own time range, such as ``now/d`` for today.
        link: template variable that a click on a series sets, with the label that holds its value.
        target: uid of the dashboard that the click leads to.
        decimals: digits behind the point; None lets Grafana choose.
        most: upper end of the scale.
        order: title of the column that a table is sorted by, the highest first.
        show_names: whether each number of a stat shows its name.
    """

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str = COUNT
    steps: Steps = PLAIN
    help: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    since: str = ""
    link: tuple[str, str] | None = None
    target: str = ""
    decimals: int | None = None
    most: float | None = None
    order: str = ""
    show_names: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A panel of words, in Markdown."""

    title: str
    content: str
