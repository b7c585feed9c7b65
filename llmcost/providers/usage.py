"""From a provider's usage object to :class:`llmcost.calls.Usage`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import NoneType
from typing import Any, Final

from llmcost.calls import Usage, make_usage
from llmcost.providers.functions import Counts, number

Alternatives = tuple[tuple[str, ...], ...]
"""Flattened keys: the first alternative that is there wins; an alternative of several keys is their sum."""

Plan = tuple[tuple[str, str | None, str], ...]
"""Field, and where it stands: the key of an object inside the usage object or None, and the key there."""

MergeRule = str
"""``sum`` or ``max``; without a rule the last number wins."""

SECONDS: Final = frozenset({"input_seconds", "output_seconds"})
FIELDS: Final = frozenset(field.name for field in fields(Usage))
_TOTALS: Final = frozenset({"input_tokens", "output_tokens"})
_DEPTH: Final = 6
_MOST_FORMS: Final = 256


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


class UsageTable:
    """Which keys of a usage object state which fields of :class:`Usage`.

    Which of the alternatives are there depends on the keys and on the types of their values, and a provider sends the
    same ones again and again: the choice is made once for each form. The number of forms kept is bounded.
    """

    __slots__ = ("_plans", "rows")

    def __init__(self, rows: Mapping[str, Alternatives]) -> None:
        self.rows = rows
        self._plans: dict[tuple[Any, ...], Plan | None] = {}

    def count(self, usage: Mapping[str, Any]) -> Counts:
        """The fields that a usage object states; details of 0 are left out."""
        form = _form(usage)
        try:
            plan = self._plans[form]
        except KeyError:
            plan = self._keep(form, usage)
        if plan is None:
            return self._chosen(flatten(usage))
        counts: Counts = {}
        for field, outer, key in plan:
            value = usage[key] if outer is None else usage[outer][key]
            if value > 0 or (value == 0 and field in _TOTALS):
                counts[field] = value
            elif value < 0:
                return self._chosen(flatten(usage))
        return counts

    def _chosen(self, flat: Mapping[str, float]) -> Counts:
        counts: Counts = {}
        for field, alternatives in self.rows.items():
            for keys in alternatives:
                found = [flat[key] for key in keys if key in flat]
                if found:
                    value = sum(found)
                    if value or field in _TOTALS:
                        counts[field] = value
                    break
        return counts

    def _keep(self, form: tuple[Any, ...], usage: Mapping[str, Any]) -> Plan | None:
        plan = self._plan(usage)
        if len(self._plans) < _MOST_FORMS:
            self._plans[form] = plan
        return plan

    def _plan(self, usage: Mapping[str, Any]) -> Plan | None:
        """Where each field stands, if that can be told from the form: plain whole numbers, at most one level down."""
        types = _leaves(usage)
        if types is None:
            return None
        plan = []
        for field, alternatives in self.rows.items():
            for keys in alternatives:
                found = [key for key in keys if types.get(key, NoneType) is not NoneType]
                if found and (len(found) > 1 or types[found[0]] is not int):
                    return None
                if found:
                    outer, _, key = found[0].rpartition(".")
                    plan.append((field, outer or None, key))
                    break
        return tuple(plan)


def _form(usage: Mapping[str, Any]) -> tuple[Any, ...]:
    """The keys of a usage object and the types of their values, one level down too."""
    form: list[Any] = [*usage, *map(type, usage.values())]
    for value in usage.values():
        if type(value) is dict:
            form.append(None)
            form += value
            form += map(type, value.values())
    return tuple(form)


def _leaves(usage: Mapping[str, Any]) -> dict[str, type] | None:
    """The types of the values by dotted path, or None where an object is deeper or has lists."""
    types: dict[str, type] = {}
    for key, value in usage.items():
        rows = {f"{key}.{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
        for path, item in rows.items():
            if isinstance(item, dict | list) or path.count(".") != (1 if isinstance(value, dict) else 0):
                return None
            types[path] = type(item)
    return types


def build(counts: Counts) -> Usage:
    """The record; counts are whole numbers, durations are seconds."""
    for field, value in counts.items():
        if type(value) is not int or field in SECONDS:
            break
    else:
        return make_usage(**counts)  # type: ignore[arg-type]
    return Usage(
        **{field: float(value) if field in SECONDS else int(value) for field, value in counts.items()}  # type: ignore[arg-type]
    )
