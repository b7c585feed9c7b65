"""Template variables: where the data is, and what it is narrowed to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as schema

from grafana.names import ENVIRONMENT, SERVICE, label, series
from llmcost import semconv

PROMETHEUS: Final = schema.DataSourceRef("prometheus", "${datasource}")
TEMPO: Final = schema.DataSourceRef("tempo", "${traces}")

EVERYTHING: Final = ".*"
"""The value of *All*. As a regular expression it also matches series that lack the label."""

KEPT: Final = ("datasource", "traces", "service", "environment", "label", "provider", "model")
"""The variables that a link hands on."""


def _source(name: str, title: str, kind: str) -> Builder[schema.VariableModel]:
    return dashboard.DatasourceVariable(name).label(title).type(kind)


def _values(name: str, title: str, attribute: str) -> Builder[schema.VariableModel]:
    """The values of a label of the counter of calls. Every value is offered, whatever the others are set to."""
    everything = schema.VariableOption(text="All", value="$__all")
    return (
        dashboard.QueryVariable(name)
        .label(title)
        .datasource(PROMETHEUS)
        .query(f"label_values({series(semconv.CALLS)}, {label(attribute)})")
        .refresh(schema.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(schema.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(EVERYTHING)
        .current(everything)
    )


def _words(name: str, title: str, default: str) -> Builder[schema.VariableModel]:
    value = schema.VariableOption(text=default, value=default)
    return dashboard.TextBoxVariable(name).label(title).default_value(default).current(value)


_MAKE: Final[Mapping[str, Callable[[str], Builder[schema.VariableModel]]]] = {
    "datasource": lambda name: _source(name, "Metrics", "prometheus"),
    "traces": lambda name: _source(name, "Traces", "tempo"),
    "service": lambda name: _values(name, "Service", SERVICE),
    "environment": lambda name: _values(name, "Environment", ENVIRONMENT),
    "label": lambda name: _values(name, "Section", semconv.SEMANTIC_LABEL),
    "provider": lambda name: _values(name, "Provider", semconv.PROVIDER_NAME),
    "model": lambda name: _values(name, "Model", semconv.REQUEST_MODEL),
    "user": lambda name: _words(name, "User", ".+"),
    "least": lambda name: _words(name, "From USD", "0.001"),
}


def variable(name: str) -> Builder[schema.VariableModel]:
    """A template variable by its name."""
    return _MAKE[name](name)
