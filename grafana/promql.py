"""PromQL in small pieces, so that every query filters, counts and divides in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

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


_OURS: Final = "llmcost_.*"
"""Error types of calls that a budget refused: they were answered here, and never sent."""
SENT: Final[Where] = {semconv.ERROR_TYPE: f'!~"{_OURS}"'}
"""Calls that were sent. Those that were refused took no time worth the name."""
FAILED: Final[Where] = {semconv.ERROR_TYPE: f'!~"|{_OURS}"'}
"""Calls that failed at the provider or in the network."""


@dataclass(frozen=True, slots=True)
class Part:
    """The sums or counts of a histogram, however Prometheus keeps it: as classic series, or natively in one."""

    name: Literal["sum", "count"]
    classic: str
    native: str


Series = str | Part
"""The selector of a counter's series, or a part of a histogram."""


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
        part: ``_bucket`` of a histogram; for sums and counts see :func:`part_of`.
        where: further filters.
    """
    return _selected(f"{series(metric)}{part}", filters(metric) + _matchers(where))


def unfiltered(metric: Metric, part: str = "", where: Where = ANYWHERE) -> str:
    """The same without the dashboard's variables, which alerts have not."""
    return _selected(f"{series(metric)}{part}", _matchers(where))


def part_of(
    metric: Metric, name: Literal["sum", "count"], where: Where = ANYWHERE, select: Callable[..., str] = selector
) -> Part:
    """Sums or counts of a histogram; ``select`` is :func:`selector` or :func:`unfiltered`."""
    return Part(name, select(metric, f"_{name}", where), select(metric, "", where))


def over(function: Literal["increase", "rate"], series_: Series, window: str, shift: str = "") -> str:
    """A function of each series over a window, which may lie in the past (``offset 1w``)."""
    if isinstance(series_, str):
        return f"{function}({series_}[{window}]{shift})"
    native = f"histogram_{series_.name}({over(function, series_.native, window, shift)})"
    return f"{over(function, series_.classic, window, shift)} or {native}"


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


def growth(series_: Series, window: str = RANGE, *attributes: str) -> str:
    """What a counter grew by within a window, summed by attributes."""
    return f"sum {by(attributes)}({over('increase', series_, window)})"


def speed(series_: Series, *attributes: str, window: str = RATE) -> str:
    """What a counter grows by in a second, summed by attributes."""
    return f"sum {by(attributes)}({over('rate', series_, window)})"


def quantile(q: float, metric: Metric, *attributes: str, window: str = RATE, where: Where = ANYWHERE) -> str:
    """A quantile of a histogram, of its buckets or of a native one. Where there was no call there is no value, rather
    than NaN. Values of ``attributes`` that have both kinds show the one of the buckets."""
    buckets = speed(selector(metric, "_bucket", where), "le", *attributes, window=window)
    native = speed(selector(metric, "", where), *attributes, window=window)
    return f"(histogram_quantile({q:g}, {buckets}) or histogram_quantile({q:g}, {native})) >= 0"


def pointing(expr: str, metric: Metric, where: Where = ANYWHERE) -> str:
    """The same answer, whose exemplars are those of a histogram and also those that a collector kept of it.

    A collector that adds up deltas keeps the exemplar of a series' first call only. So ours hands the exemplars on by a
    twin of the histogram (collector-config/local.yaml). No counter is below 0, so the last parts take nothing away;
    but Prometheus looks for exemplars at every series that a query names.
    """
    twin = semconv.EXEMPLARS_OF[metric.name]
    classic, native = selector(twin, "_bucket", where), selector(twin, "", where)
    return f"{expr} unless {classic} < 0 unless histogram_count({native}) < 0"


def mean(metric: Metric, *attributes: str, window: str = RANGE, where: Where = ANYWHERE) -> str:
    """The mean of a histogram's values within a window."""
    total = growth(part_of(metric, "sum", where), window, *attributes)
    return ratio(total, growth(part_of(metric, "count", where), window, *attributes))


def ratio(above: str, below: str) -> str:
    """One by another; no value, rather than NaN, where the other is 0."""
    return f"{above} / ({below} > 0)"


def share(part: str, whole: str) -> str:
    """Part of a whole, 0 to 1. No part is 0; no whole is no answer, for a share of nothing is unknown."""
    return f"({part} or vector(0)) / ({whole} > 0)"
