"""The user's own prices: rows of ``[tool.llmcost.prices."my-model"]``, in the price map's fields.

A row may name ``from``, a date from which it holds; several dated rows stand in an array of tables, and the newest
whose date has come wins. A row may name ``same_as``, a key of the map that it starts from; without it, the row
is the whole entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from llmcost.errors import ConfigError
from llmcost.lean import dataclass
from llmcost.pricing import fields


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, its fields, the key that it starts from, and the moment (Unix seconds) from which it holds."""

    name: str
    fields: Mapping[str, Any]
    same_as: str | None
    starts: float
    date: str | None


def parse(table: Mapping[str, Any], where: str = "prices") -> dict[str, tuple[Row, ...]]:
    """The rows by name, the newest first.

    Args:
        table: the rows, by name.
        where: what an error calls the table.

    Raises:
        ConfigError: naming the row and field at fault.
    """
    return {name: _rows(f'{where}."{name}"', name, value) for name, value in table.items()}


def _rows(where: str, name: str, value: Any) -> tuple[Row, ...]:
    if isinstance(value, list) and not value:
        raise ConfigError(f"{where}: no price is given")
    rows = [_row(where, name, each) for each in (value if isinstance(value, list) else [value])]
    return tuple(sorted(rows, key=lambda row: -row.starts))


def _row(where: str, name: str, value: Any) -> Row:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table of prices, got {value!r}")
    given = {
        key: fields.checked(f"{where}: {key}", key, each)
        for key, each in value.items()
        if key not in ("from", "same_as")
    }
    same_as = value.get("same_as")
    if same_as is not None and not isinstance(same_as, str):
        raise ConfigError(f"{where}: same_as: expected a model's name, got {same_as!r}")
    if not given and same_as is None:
        raise ConfigError(f"{where}: no price is given")
    starts, text = _moment(f"{where}: from", value.get("from"))
    return Row(name, given, same_as, starts, text)


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
