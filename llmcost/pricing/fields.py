"""The fields of a price map: which names are known, and what their values must be.

A name is known where the shipped map has it, or where it is one of its names with another length of the prompt, tier,
region, size or resolution.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from llmcost.errors import ConfigError
from llmcost.pricing import pricemap
from llmcost.pricing.offpeak import is_off_peak
from llmcost.pricing.tables import tiers

Kind = Callable[[str, Any], Any]

_LENGTH: Final = re.compile(r"_above_\d+k?_tokens")
_VARYING: Final = re.compile(
    r"^(output_cost_per_image|output_cost_per_second|regional_processing_uplift_multiplier)_\w[\w.-]*$"
)
_ADDED: Final = ("file_search_cost_per_1k_calls",)
"""Read by the formula, though the shipped map has no such price."""


def checked(where: str, name: str, value: Any) -> Any:
    """The value of a field, as pricing reads it.

    Raises:
        ConfigError: naming ``where``, if the field is not known or its value is of a wrong kind.
    """
    if not _known(name):
        raise ConfigError(f"{where}: not a field of the price map{_nearest(name, _names())}")
    kind: Kind = _KINDS.get(name, _usd)
    return kind(where, value)


def _known(name: str) -> bool:
    plain = _LENGTH.sub("", name)
    bare = {plain, *(plain.removesuffix(ending) for ending in tiers().values() if ending)}
    return name in _names() or not bare.isdisjoint(_names()) or bool(_VARYING.match(name))


@functools.cache
def _names() -> frozenset[str]:
    models = pricemap.read(pricemap.SNAPSHOT).models
    return frozenset({name for entry in models.values() for name in entry}.union(_ADDED))


def _nearest(name: str, names: Iterable[str]) -> str:
    import difflib  # for words to the user alone

    found = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def _usd(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigError(f"{where}: expected USD as a number, got {value!r}")
    return float(value)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: expected text, got {value!r}")
    return value


def _count(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{where}: expected a number of tokens, got {value!r}")
    return value


def _switch(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: expected true or false, got {value!r}")
    return value


def _table(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table, got {value!r}")
    return value


def _prices(where: str, value: Any) -> dict[str, float]:
    return {name: _usd(f"{where}.{name}", each) for name, each in _table(where, value).items()}


def _tiers(where: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ConfigError(f"{where}: expected a list of tables, got {value!r}")
    return [_tier(where, _table(where, each)) for each in value]


def _tier(where: str, tier: Mapping[str, Any]) -> dict[str, Any]:
    """The tiers of searches have ranges of results instead, which pricing does not read."""
    for name, limits in tier.items():
        if name.endswith("range"):
            if not isinstance(limits, list) or len(limits) != 2:
                raise ConfigError(f"{where}.{name}: expected two numbers, got {limits!r}")
            for limit in limits:
                _usd(f"{where}.{name}", limit)
        else:
            checked(f"{where}.{name}", name, limits)
    return dict(tier)


def _off_peak(where: str, value: Any) -> Mapping[str, Any]:
    rules = _table(where, value)
    for name, each in rules.items():
        if name not in ("hours_utc", "windows", "weekday_timezone"):
            checked(f"{where}.{name}", name, each)
    try:
        for hour in range(0, 7 * 24 * 3600, 3600):
            is_off_peak(rules, hour)
    except (AttributeError, TypeError, ValueError) as exc:
        raise ConfigError(f"{where}: no such window of hours or days ({exc})") from None
    return rules


_KINDS: Final[Mapping[str, Kind]] = {
    "litellm_provider": _text,
    "mode": _text,
    "web_search_billing_unit": _text,
    "max_input_tokens": _count,
    "max_output_tokens": _count,
    "supports_function_calling": _switch,
    "supports_vision": _switch,
    "search_context_cost_per_query": _prices,
    "guardrail_cost_per_unit": _prices,
    "provider_specific_entry": _table,
    "tiered_pricing": _tiers,
    "off_peak_pricing": _off_peak,
}
"""What is not plain USD."""
