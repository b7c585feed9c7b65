"""From the tables of ``llmcost.toml`` to checked budgets. Every fault is one line that names the key."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from llmcost.control.budget import BOUNDS, LIMITS, MODES, ON_FAILURE, UNPRICED, Budget, Limits, Thresholds
from llmcost.control.money import nano_of_limit
from llmcost.control.windows import seconds_of
from llmcost.errors import ConfigError


class Models(Protocol):
    """What the price map knows of a model; the composition passes it in."""

    def known(self, model: str) -> bool:
        """Whether the model has a price."""

    def unfit(self, model: str, fallback: str) -> str | None:
        """Why ``fallback`` cannot take the place of ``model`` (other provider or mode, no tools, no vision, smaller
        context or output), or None where it can."""


def budgets_of(rows: Any, models: Models | None = None, where: str = "budgets") -> tuple[Budget, ...]:
    """The budgets of a list of tables.

    Args:
        rows: what stands under ``[[tool.llmcost.budgets]]``.
        models: checks the models named in fallbacks; without it their names are not checked.
        where: the place for messages.

    Raises:
        ConfigError: one line that names the budget and the key.
    """
    if not isinstance(rows, list):
        raise ConfigError(f"{where}: expected a list of tables, got {rows!r}")
    budgets = tuple(budget_of(row, f"{where}[{number}]") for number, row in enumerate(rows))
    check_all(budgets, models)
    return budgets


def budget_of(row: Any, where: str) -> Budget:
    """One budget of one table; see :func:`budgets_of`."""
    if not isinstance(row, Mapping):
        raise ConfigError(f"{where}: expected a table, got {row!r}")
    name = row.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{where}: name: a budget needs a name")
    place = f"budget {name!r}"
    _known_keys(row, Budget, place)
    values = dict(row)
    if "thresholds" in values:
        values["thresholds"] = _record(values["thresholds"], Thresholds, f"{place}: thresholds")
    if "fallbacks" in values:
        values["fallbacks"] = _fallbacks(values["fallbacks"], f"{place}: fallbacks")
    if "overrides" in values:
        overrides = _table(values["overrides"], f"{place}: overrides")
        values["overrides"] = {
            str(value): _record(limits, Limits, f"{place}: overrides.{value}") for value, limits in overrides.items()
        }
    return Budget(**values)


def check_all(budgets: Iterable[Budget], models: Models | None = None) -> None:
    """Check budgets that were made in code or read from tables.

    Raises:
        ConfigError: one line that names the budget and the key.
    """
    seen: set[str] = set()
    for budget in budgets:
        check(budget, models)
        if budget.name in seen:
            raise ConfigError(f"budget {budget.name!r}: name: two budgets have this name")
        seen.add(budget.name)


def check(budget: Budget, models: Models | None = None) -> None:
    """Check one budget; see :func:`check_all`."""
    place = f"budget {budget.name!r}"
    for key, choices in _CHOICES.items():
        value = getattr(budget, key)
        if value not in choices and value is not None:
            raise ConfigError(f"{place}: {key}: {value!r} is none of {', '.join(choices)}")
    for key in ("name", "scope"):
        _a_name(getattr(budget, key), f"{place}: {key}")
    for key in ("lease",):
        if not isinstance(getattr(budget, key), bool):
            raise ConfigError(f"{place}: {key}: expected true or false, got {getattr(budget, key)!r}")
    _zone(budget.timezone, f"{place}: timezone")
    _thresholds(budget.thresholds, f"{place}: thresholds")
    _limits(budget, place)
    if budget.scope == "global" and budget.overrides:
        raise ConfigError(f"{place}: overrides: scope 'global' has no values to override")
    for value, limits in budget.overrides.items():
        _limits(limits, f"{place}: overrides.{value}")
    if not any(_says_something(limits) for limits in (budget, *budget.overrides.values())):
        wanted = ", ".join((*LIMITS, "rolling", "max_calls", "max_depth", "max_repeats"))
        raise ConfigError(f"{place}: it limits nothing; give one of {wanted}")
    if models is not None:
        _models(budget, models, place)


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "mode": MODES,
    "bound": BOUNDS,
    "on_failure": ON_FAILURE,
    "unpriced": UNPRICED,
}


def _a_name(value: Any, place: str) -> None:
    # These signs part the names of counters in the ledger.
    if not isinstance(value, str) or not value or any(sign in value for sign in "|=\n"):
        raise ConfigError(f"{place}: {value!r} is no name (text without | and =)")


def _zone(name: Any, place: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigError(f"{place}: {name!r} is no time zone that this machine knows (as in Europe/Berlin)") from None


def _thresholds(thresholds: Thresholds, place: str) -> None:
    for key in ("warn", "degrade", "block"):
        value = getattr(thresholds, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{place}.{key}: expected a share of the limit, got {value!r}")
        if not 0 <= value <= 1:
            hint = f"; write {value / 100:g} for {value:g} %" if 1 < value <= 100 else ""
            raise ConfigError(f"{place}.{key}: {value!r} is not between 0 and 1{hint}")
    if not thresholds.warn <= thresholds.degrade <= thresholds.block:
        raise ConfigError(f"{place}: warn, degrade and block must not fall: {thresholds.warn:g}, "
                          f"{thresholds.degrade:g}, {thresholds.block:g}")  # fmt: skip


def _limits(limits: Limits, place: str) -> None:
    for name, value in limits.amounts().items():
        _amount(value, f"{place}: {name}")
    for text, value in _table(limits.rolling, f"{place}: rolling").items():
        try:
            seconds_of(text)
        except ValueError as exc:
            raise ConfigError(f"{place}: rolling: {exc}") from None
        _amount(value, f"{place}: rolling.{text}")
    for name in ("max_calls", "max_depth", "max_repeats"):
        value = getattr(limits, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ConfigError(f"{place}: {name}: {value!r} is not a whole number of 0 or more")


def _amount(value: Any, place: str) -> None:
    try:
        nano_of_limit(value)
    except ValueError as exc:
        raise ConfigError(f"{place}: {exc}") from None


def _says_something(limits: Limits) -> bool:
    counts = (limits.max_calls, limits.max_depth, limits.max_repeats)
    return bool(limits.amounts() or limits.rolling or any(value is not None for value in counts))


def _models(budget: Budget, models: Models, place: str) -> None:
    for model, fallbacks in budget.fallbacks.items():
        for name in (model, *fallbacks):
            if not models.known(name):
                raise ConfigError(f"{place}: fallbacks: no price is known for model {name!r}")
        for fallback in fallbacks:
            reason = models.unfit(model, fallback)
            if reason:
                raise ConfigError(f"{place}: fallbacks: {fallback!r} cannot take the place of {model!r}: {reason}")
    if budget.scope == "model":
        for model in budget.overrides:
            if not models.known(model):
                raise ConfigError(f"{place}: overrides: no price is known for model {model!r}")


def _fallbacks(value: Any, place: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for model, names in _table(value, place).items():
        listed = (names,) if isinstance(names, str) else names
        if not isinstance(listed, list | tuple) or not listed or not all(isinstance(name, str) for name in listed):
            raise ConfigError(f"{place}.{model}: expected a model or a list of models, got {names!r}")
        if model in listed:
            raise ConfigError(f"{place}.{model}: a model cannot take its own place")
        found[model] = tuple(listed)
    return found


def _record(value: Any, kind: Callable[..., Any], place: str) -> Any:
    _known_keys(_table(value, place), kind, place)
    return kind(**value)


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{place}: expected a table, got {value!r}")
    return value


def _known_keys(table: Mapping[str, Any], kind: Any, place: str) -> None:
    known = [field.name for field in fields(kind)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
            raise ConfigError(f"{place}: {key}: unknown key{hint}")
