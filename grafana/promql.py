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


FAILED: Final = '!~"|llmcost_.*"'
"""The operator and value of an error type that came from the provider or the network: refusals by budgets are ours."""


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
    return _selected(f"{series(metric)}{part}", filters(metric) + _matchers(where))


def unfiltered(metric: Metric, part: str = "", where: Where = ANYWHERE) -> str:
    """The same without the dashboard's variables, which alerts have not."""
    return _selected(f"{series(metric)}{part}", _matchers(where))


def scraped(metric: Metric) -> str:
    """Series of a page that Prometheus scrapes. Its author chose whether counters end in ``_total``; both are found."""
    return f'{{__name__=~"{metric.name}(_total)?"}}'


def _matchers(where: Where) -> list[str]:
    return [f"{label(name)}{matcher}" for name, matcher in where.items()]


def _selected(name: str, matchers: list[str]) -> str:
    return f"{name}{{{', '.join(matchers)}}}" if matchers else name


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
    """A quantile of a histogram with buckets. Where there was no call there is no value, rather than NaN."""
    buckets = speed(selector(metric, "_bucket"), "le", *attributes, window=window)
    return f"histogram_quantile({q:g}, {buckets}) >= 0"


def pointing(expr: str, metric: Metric) -> str:
    """The same answer, whose exemplars are those of a histogram and also those that a collector kept of it.

    A collector that adds up deltas keeps the exemplar of a series' first call only. So ours hands the exemplars on by a
    twin of the histogram (collector-config/local.yaml). No counter is below 0, so the last part takes nothing away;
    but Prometheus looks for exemplars at every series that a query names.
    """
    twin = selector(semconv.EXEMPLARS_OF[metric.name], "_bucket")
    return f"{expr} unless {twin} < 0"


def mean(metric: Metric, *attributes: str, window: str = RANGE, where: Where = ANYWHERE) -> str:
    """The mean of a histogram's values within a window."""
    total = growth(selector(metric, "_sum", where), window, *attributes)
    return ratio(total, growth(selector(metric, "_count", where), window, *attributes))


def ratio(above: str, below: str) -> str:
    """One by another; no value, rather than NaN, where the other is 0."""
    return f"{above} / ({below} > 0)"


def share(part: str, whole: str) -> str:
    """Part of a whole, 0 to 1. No part is 0; no whole is no answer, for a share of nothing is unknown."""
    return f"({part} or vector(0)) / ({whole} > 0)"
