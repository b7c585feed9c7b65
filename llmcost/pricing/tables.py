"""The tables of this package: providers, rules of billing and service tiers; as TOML in ``data/``, and read once."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from llmcost.lean import dataclass

DATA: Final = Path(__file__).parent / "data"
TOGETHER: Final = DATA / "tables.json"
"""All tables in one file, as ``make generated`` writes it."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose entries may price a provider's calls, and what precedes a model's name in their keys."""

    litellm: tuple[str, ...]
    prefixes: tuple[str, ...]
    local: bool = False
    deployments: bool = False
    tools: Mapping[str, float] = field(default_factory=dict)

    def owns(self, litellm_provider: str) -> bool:
        """Whether an entry of this ``litellm_provider`` is one of the provider's."""
        return any(
            litellm_provider == name or (name[-1] == "*" and litellm_provider.startswith(name[:-1]))
            for name in self.litellm
        )


UNKNOWN: Final = "unknown"
"""What a call says that does not know its provider."""
ANY: Final = Provider(("*",), ("",))
"""Where no provider is known, a model must be named by its whole key."""


@dataclass(frozen=True, slots=True)
class Billing:
    """Rules that the map does not write down, for the entries of one ``litellm_provider``."""

    inclusive_thresholds: bool = False
    cache_read_ratio: float | None = None
    search_unit: str = "per_query"


USUAL: Final = Billing()


@functools.cache
def provider(name: str | None) -> Provider:
    """The provider of this name; one without a row is its own ``litellm_provider``."""
    if not name or name == UNKNOWN:
        return ANY
    rows = _providers()
    row = rows.get(name)
    while row is not None and "same_as" in row:
        row = rows.get(row["same_as"])
    if row is None:
        return Provider((name,), ("", f"{name}/"))
    options = {**row, "litellm": tuple(row["litellm"]), "prefixes": tuple(row["prefixes"])}
    return Provider(**options)


def known_provider(name: str) -> bool:
    """Whether the table has a row of this name."""
    return name in _providers()


def provider_names() -> frozenset[str]:
    """The names of the table's rows."""
    return frozenset(_providers())


@functools.cache
def billing(litellm_provider: str) -> Billing:
    """The rules for entries of this ``litellm_provider``."""
    row = _tables()["entries.toml"].get(litellm_provider)
    return Billing(**row) if row else USUAL


@functools.cache
def tiers() -> Mapping[str, str]:
    """Service tier, lower case, to the ending of the fields that price it."""
    return _tables()["tiers.toml"]


@functools.cache
def _providers() -> Mapping[str, Mapping[str, Any]]:
    return _tables()["providers.toml"]


@functools.cache
def _tables() -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = json.loads(TOGETHER.read_text(encoding="utf-8"))
    return found
