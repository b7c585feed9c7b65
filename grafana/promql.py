"""PromQL in small pieces, so that every query filters, counts and divides in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from grafana.names import ENVIRONMENT, RESOURCE_ATTRIBUTES, SERVICE, label, series
from llmcost import semconv
from llmcost.semconv import Metric

VARIABLES: Final[Mapping[str, str]] = {
    SERVICE: "service",
    ENVIRONMENT: "environment",
    semconv.SEMANTIC_LABEL: "label",
    semconv.PROVIDER_NAME: "provider",
    semconv.REQUEST_MODEL: "model",
}
"""Attribute to the template variable that filters by it. A metric is filtered by those that it carries."""

RANGE: Final = "$__range"
RATE: Final = "$__rate_interval"


Where = Mapping[str, str]
"""Attribute to operator and value: ``{semconv.ERROR_TYPE: '!=""'}``."""

ANYWHERE: Final[Where] = {}


def equal(value: str) -> str:
    """The operator and value of an exact match."""
    return f'="{value}"'


def like(pattern: str) -> str:
    """The operator and value of a match by a regular expression."""
    return f'=~"{pattern}"'


def filters(metric: Metric) -> list[str]:
    """The filters of the dashboard's variables, as far as the metric carries the attributes."""
    carried = (*RESOURCE_ATTRIBUTES, *metric.attributes)
    return [f'{label(name)}=~"${variable}"' for name, variable in VARIABLES.items() if name in carried]


def selector(metric: Metric, part: str = "", where: Where = ANYWHERE) -> str:
    """A metric's series, filtered by the dashboard's variables.

    Args:
        metric: the row of semconv.
        part: ``_bucket``, ``_sum`` or ``_count`` of a histogram.
        where: further filters.
    """
    wanted = filters(metric) + [f"{label(name)}{matcher}" for name, matcher in where.items()]
    return f"{series(metric)}{part}{{{', '.join(wanted)}}}"


def by(attributes: Iterable[str]) -> str:
    """The ``by`` clause of attributes, with a space behind; nothing where there are none."""
    names = ", ".join(label(each) for each in attributes)
    return f"by ({names}) " if names else ""


def growth(series_: str, window: str = RANGE, *attributes: str) -> str:
    """What a counter grew by within a window, summed by attributes."""
    return f"sum {by(attributes)}(increase({series_}[{window}]))"


def speed(series_: str, *attributes: str, window: str = RATE) -> str:
    """What a counter grows by in a second, summed by attributes."""
    return f"sum {by(attributes)}(rate({series_}[{window}]))"


def quantile(q: float, metric: Metric, *attributes: str, window: str = RATE) -> str:
    """A quantile of a histogram with buckets."""
    buckets = speed(selector(metric, "_bucket"), "le", *attributes, window=window)
    return f"histogram_quantile({q:g}, {buckets})"


def mean(metric: Metric, *attributes: str, window: str = RANGE, where: Where = ANYWHERE) -> str:
    """The mean of a histogram's values within a window."""
    total = growth(selector(metric, "_sum", where), window, *attributes)
    return f"{total} / {growth(selector(metric, '_count', where), window, *attributes)}"


def share(part: str, whole: str) -> str:
    """Part of a whole, 0 to 1. No part is 0; no whole is no answer, for a share of nothing is unknown."""
    return f"({part} or vector(0)) / ({whole} > 0)"
