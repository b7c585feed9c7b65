"""The names that metrics and attributes get in Prometheus, derived from ``llmcost.semconv``.

Prometheus renames what comes by OTLP (``translation_strategy: UnderscoreEscapingWithSuffixes``, its default): every
character that it does not know becomes an underscore, the unit and the kind become suffixes. The rules are those of
its ``otlptranslator`` package; the stack's tests compare this module with a real Prometheus.
"""

from __future__ import annotations

import re
from typing import Final

from llmcost.semconv import Metric

SERVICE: Final = "service.name"
ENVIRONMENT: Final = "deployment.environment.name"
RESOURCE_ATTRIBUTES: Final = (SERVICE, ENVIRONMENT)
"""Attributes of the resource that Prometheus is told to make labels of (``promote_resource_attributes``)."""

_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "1": "ratio"}


def label(attribute: str) -> str:
    """The label of an attribute: ``llm.semantic_label`` becomes ``llm_semantic_label``."""
    return re.sub(r"[^0-9A-Za-z_]", "_", attribute)


def series(metric: Metric) -> str:
    """The name of a counter or gauge: ``llm.cost`` becomes ``llm_cost_total``.

    For a histogram it is the name without ``_bucket``, ``_sum`` or ``_count``.
    """
    words = [word for word in re.split(r"[^0-9A-Za-z]+", metric.name) if word]
    for suffix in (_unit(metric), "total" if metric.kind == "counter" else ""):
        if suffix:
            words = [word for word in words if word != suffix] + [suffix]
    return "_".join(words)


def _unit(metric: Metric) -> str:
    """The unit's suffix. Units in braces are comments and give none; ``1`` is a ratio, for gauges only."""
    if metric.unit == "1" and metric.kind != "gauge":
        return ""
    return _UNITS.get(metric.unit, "")
