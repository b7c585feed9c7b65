"""From a provider's usage object to :class:`llmcost.calls.Usage`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from llmcost.calls import Usage
from llmcost.providers.functions import Counts

Alternatives = tuple[tuple[str, ...], ...]
"""Flattened keys: the first alternative that is there wins; an alternative of several keys is their sum."""

MergeRule = str
"""``sum`` or ``max``; without a rule the last number wins."""

SECONDS: Final = frozenset({"input_seconds", "output_seconds"})
FIELDS: Final = frozenset(field.name for field in fields(Usage))
_TOTALS: Final = frozenset({"input_tokens", "output_tokens"})
_DEPTH: Final = 6


def number(value: Any) -> float | None:
    """A count as a provider may write it: a finite number that is not negative, or digits in a text."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return value


def merge(old: dict[str, Any], new: Mapping[str, Any], rules: Mapping[str, MergeRule], prefix: str = "") -> None:
    """Merge a later usage object into an earlier one; null and absent never replace what is there."""
    for key, value in new.items():
        if value is None:
            continue
        before, path = old.get(key), prefix + key
        if isinstance(value, dict) and isinstance(before, dict):
            before = old[key] = dict(before)
            merge(before, value, rules, path + ".")
        elif path in rules and number(before) is not None and number(value) is not None:
            old[key] = before + value if rules[path] == "sum" else max(before, value)
        else:
            old[key] = value


def flatten(usage: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a usage object by its dotted path.

    Lists by modality (Gemini) give ``path.AUDIO``; other lists are left out.
    """
    flat: dict[str, float] = {}
    _flatten(usage, "", flat, _DEPTH)
    return flat


def _flatten(usage: Mapping[str, Any], prefix: str, flat: dict[str, float], depth: int) -> None:
    for key, value in usage.items():
        if type(value) is int:  # the common case, without a call
            if value >= 0:
                flat[prefix + key] = value
        elif isinstance(value, dict):
            if depth:
                _flatten(value, f"{prefix}{key}.", flat, depth - 1)
        elif isinstance(value, list):
            _by_modality(value, f"{prefix}{key}.", flat)
        else:
            count = number(value)
            if count is not None:
                flat[prefix + key] = count


def _by_modality(items: list[Any], prefix: str, flat: dict[str, float]) -> None:
    for item in items:
        if isinstance(item, dict) and "modality" in item:
            count = number(item.get("tokenCount", item.get("tokens")))
            if count is not None:
                key = prefix + str(item["modality"]).upper()
                flat[key] = flat.get(key, 0) + count


def count(flat: Mapping[str, float], table: Mapping[str, Alternatives]) -> Counts:
    """The fields of :class:`Usage` that a flattened usage object states; details of 0 are left out."""
    counts: Counts = {}
    for field, alternatives in table.items():
        for keys in alternatives:
            if len(keys) == 1:
                value = flat.get(keys[0])
            else:
                found = [flat[key] for key in keys if key in flat]
                value = sum(found) if found else None
            if value is not None:
                if value or field in _TOTALS:
                    counts[field] = value
                break
    return counts


def build(counts: Counts) -> Usage:
    """The record; counts are whole numbers, durations are seconds."""
    return Usage(
        **{field: float(value) if field in SECONDS else int(value) for field, value in counts.items()}  # type: ignore[arg-type]
    )
