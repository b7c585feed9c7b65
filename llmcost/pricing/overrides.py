"""The user's own prices: rows of ``[tool.llmcost.prices."my-model"]``, in the price map's fields.

A row may name ``from``, a date from which it holds; several dated rows stand in an array of tables, and the newest
whose date has come wins. A row may name ``same_as``, a key of the map that it starts from; without it, the row
is the whole entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from llmcost.errors import ConfigError

_FIELD: Final = re.compile(r"cost|uplift|^(litellm_provider|mode|max_(input|output)_tokens|web_search_billing_unit)$")
_TABLES: Final = frozenset(
    {"off_peak_pricing", "tiered_pricing", "search_context_cost_per_query", "provider_specific_entry"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, its fields, the key that it starts from, and the moment (Unix seconds) from which it holds."""

    name: str
    fields: Mapping[str, Any]
    same_as: str | None
    starts: float
    date: str | None


def parse(table: Mapping[str, Any]) -> dict[str, tuple[Row, ...]]:
    """The rows by name, the newest first.

    Raises:
        ConfigError: naming the row and field at fault.
    """
    return {name: _rows(name, value) for name, value in table.items()}


def _rows(name: str, value: Any) -> tuple[Row, ...]:
    given = value if isinstance(value, list) else [value]
    rows = [_row(name, each) for each in given]
    return tuple(sorted(rows, key=lambda row: -row.starts))


def _row(name: str, value: Any) -> Row:
    where = f'prices."{name}"'
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table of prices, got {value!r}")
    fields = {
        key: _checked(f"{where}: {key}", key, each) for key, each in value.items() if key not in ("from", "same_as")
    }
    same_as = value.get("same_as")
    if same_as is not None and not isinstance(same_as, str):
        raise ConfigError(f"{where}: same_as: expected a model's name, got {same_as!r}")
    if not fields and same_as is None:
        raise ConfigError(f"{where}: no price is given")
    starts, text = _moment(f"{where}: from", value.get("from"))
    return Row(name, fields, same_as, starts, text)


def _checked(where: str, key: str, value: Any) -> Any:
    if key in _TABLES:
        return value
    if not _FIELD.search(key):
        raise ConfigError(f"{where}: not a field of the price map")
    if "cost" in key or "uplift" in key:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ConfigError(f"{where}: expected USD as a number, got {value!r}")
        return float(value)
    return value


def _moment(where: str, value: Any) -> tuple[float, str | None]:
    if value is None:
        return float("-inf"), None
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: expected a date like 2026-01-31, got {value!r}") from None
    if isinstance(day, datetime):
        moment = day if day.tzinfo else day.replace(tzinfo=UTC)
    else:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return moment.timestamp(), day.isoformat()
