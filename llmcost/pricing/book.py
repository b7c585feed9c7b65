"""The price book: which price a call has, and what it costs.

Prices come, in this order, from the user's rows, from the map (a file that replaces the snapshot, else
``.llmcost/prices.json.gz``, else the snapshot in the wheel), and, only for models that the map does not have, from the
map of an installed litellm. The map is read at the first price, not at import.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from llmcost.calls import Cost, CostStatus, Usage
from llmcost.lean import dataclass
from llmcost.pricing import naming, overrides, pricemap
from llmcost.pricing.entries import Entry
from llmcost.pricing.formula import Price, cost
from llmcost.pricing.lock import check
from llmcost.pricing.offpeak import is_off_peak
from llmcost.pricing.overrides import Row
from llmcost.pricing.pricemap import MapMeta, PriceMap
from llmcost.pricing.rates import BATCH, compile_card
from llmcost.pricing.receipt import Receipt, receipt
from llmcost.pricing.stated import stated
from llmcost.pricing.tables import UNKNOWN, Provider, known_provider, provider
from llmcost.pricing.terms import PriceRequest, terms_of
from llmcost.pricing.unknown import note_unknown

LOCAL_FILE: Final = "prices.json.gz"
"""The name, inside the store folder, of the map that ``llmcost prices update`` writes."""

_LONGEST_SHOWN: Final = 200
"""Characters of a name in a hint; names come from outside."""

_MOST_NAMES: Final = 4096
"""How many resolved names are kept. Names come from outside; beyond this number the cache starts anew."""


@dataclass(frozen=True, slots=True)
class PriceSources:
    """Where prices come from.

    Attributes:
        price_map: a file that replaces the shipped map (``LLMCOST_PRICE_MAP``).
        local_map: the map of ``llmcost prices update``; used where the file exists.
        rows: the user's rows, model name to a table of price-map fields.
        aliases: the user's deployments and gateway names, name to model.
        lock: the lock file of ``llmcost prices pin``; a map that differs is logged once.
        fill: whether an installed litellm may price models that the map does not have.
    """

    price_map: Path | None = None
    local_map: Path | None = None
    rows: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    lock: Path | None = None
    fill: bool = True


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The prices of one request: the user's dated rows, the newest first, then the map's, by time of day."""

    price: Price | None
    dated: tuple[tuple[float, Price], ...] = ()
    off_peak: Price | None = None
    hint: str = ""

    @property
    def timeless(self) -> bool:
        return not self.dated and self.off_peak is None

    def at(self, moment: float) -> Price | None:
        for starts, price in self.dated:
            if moment >= starts:
                return price
        if self.off_peak is not None and is_off_peak(self.off_peak.entry["off_peak_pricing"], moment):
            return self.off_peak
        return self.price


class PriceBook:
    """Prices calls.

    Args:
        sources: where prices come from.
        clock: Unix seconds, for calls that are priced without a time.

    Raises:
        ConfigError: a row of the user's is wrong; the message names it.
    """

    def __init__(self, sources: PriceSources | None = None, clock: Callable[[], float] = time.time) -> None:
        self.sources = sources or PriceSources()
        self._clock = clock
        self._rows = overrides.parse(self.sources.rows)
        self._cache: dict[PriceRequest, _Resolved] = {}

    # --- maps ---------------------------------------------------------------------------------------------------

    @cached_property
    def map(self) -> PriceMap:
        """The map in use.

        Raises:
            PriceMapError: naming the file that cannot be read.
        """
        sources = self.sources
        local = sources.local_map
        path = sources.price_map or (local if local is not None and local.is_file() else pricemap.SNAPSHOT)
        prices = pricemap.read(path)
        if sources.lock is not None:
            check(sources.lock, prices)
        return prices

    def check(self) -> None:
        """Read the map now, so that what is wrong with it is said at the start.

        Raises:
            PriceMapError: naming the file that cannot be read.
        """
        _ = self.map

    @cached_property
    def _filling(self) -> PriceMap | None:
        return pricemap.read_litellm() if self.sources.fill else None

    # --- prices -------------------------------------------------------------------------------------------------

    def price(
        self,
        model: str,
        usage: Usage,
        *,
        provider: str | None = None,
        service_tier: str | None = None,
        at: datetime | float | None = None,
        region: str | None = None,
    ) -> Cost:
        """What a usage costs.

        Args:
            model: the model's name, or its key of the price map.
            usage: what was used.
            provider: OTel's name of the provider, or LiteLLM's. Without it the model must be a key of the map.
            service_tier: ``flex``, ``priority``, ``batch`` or as the provider spells it.
            at: when, for dated prices and hours of the day; now by default.
            region: cloud region, data residency or location.
        """
        return self.price_call(PriceRequest(provider, model, None, service_tier, region), usage, at=at)

    def price_call(
        self,
        request: PriceRequest,
        usage: Usage,
        stated_cost: Any = None,
        at: datetime | float | None = None,
    ) -> Cost:
        """What a call costs. A cost that the provider states wins, unless the user has set a price for the model.

        A call without a price is counted, and the first of each model is logged.
        """
        if usage.images:
            request = self._sized(request, usage)
        resolved = self._cache.get(request)
        if resolved is None:
            resolved = self._resolve(request)
        price = resolved.price if resolved.timeless else resolved.at(self._moment(at))
        if stated_cost is not None and (price is None or price.source != "override"):
            said = stated(stated_cost, price.key if price else None)
            if said is not None:
                return said
        if price is None:
            note_unknown(request.provider, request.response_model or request.request_model or "", resolved.hint)
            return Cost("unpriced", note=resolved.hint)
        return cost(price, usage)

    def explain(self, request: PriceRequest, usage: Usage, at: datetime | float | None = None) -> Receipt:
        """The receipt of a call: what :meth:`price_call` computes, line by line. Nothing is counted or logged."""
        request = self._sized(request, usage)
        resolved = self._cache.get(request) or self._resolve(request)
        price = resolved.at(self._moment(at))
        if price is None:
            return Receipt(Cost("unpriced", note=resolved.hint))
        return receipt(price, usage)

    def find(self, request: PriceRequest, at: datetime | float | None = None) -> Price | None:
        """The price of a request, or None where none is known."""
        return (self._cache.get(request) or self._resolve(request)).at(self._moment(at))

    def _moment(self, at: datetime | float | None) -> float:
        if at is None:
            return self._clock()
        if isinstance(at, datetime):
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        return at

    # --- resolution ---------------------------------------------------------------------------------------------

    def _resolve(self, request: PriceRequest) -> _Resolved:
        names, owner = self._names(request)
        found = self._mapped(owner, names, request)
        dated = tuple((row.starts, self._own(row, owner, request)) for row in self._own_rows(request))
        if found is None:
            resolved = _Resolved(None, dated, hint="" if dated else self._hint(owner, names, request))
        else:
            resolved = _Resolved(found, dated, self._at_night(found, owner, request))
        if len(self._cache) >= _MOST_NAMES:
            self._cache.clear()
        self._cache[request] = resolved
        return resolved

    def _names(self, request: PriceRequest) -> tuple[list[str], Provider]:
        """The names to look for, best first, and whose they are. ``vendor/model`` without a provider names both."""
        aliases = self.sources.aliases
        asked = request.request_model
        alias = aliases.get(asked or "") or aliases.get(request.response_model or "")
        names = [name for name in (alias, request.response_model, asked) if name]
        if request.provider in (None, UNKNOWN) and names and "/" in names[0] and names[0] not in self.map.models:
            vendor, _, model = names[0].partition("/")
            if known_provider(vendor):
                return [model, *names], provider(vendor)
        return names, provider(request.provider)

    def _mapped(self, owner: Provider, names: list[str], request: PriceRequest) -> Price | None:
        for prices in (self.map, None):
            book = prices or self._filling
            if book is None:
                return None
            key = naming.find(book.models, owner, names, request.region)
            if key is not None:
                return self._priced(key, book.models[key], book.meta, (owner, request))
        return None

    def _priced(self, key: str, entry: Entry, meta: MapMeta, whose: tuple[Provider, PriceRequest]) -> Price:
        owner, request = whose
        terms, note = terms_of(entry, request)
        card = compile_card(entry, terms)
        if terms.suffix == BATCH and card.halved:
            note = "no batch price is listed: half the standard price"
        zero: CostStatus = "zero_listed" if not owner.local and _lists_only_zeros(entry) else "priced"
        return Price(key, card, entry, "litellm", meta.date, terms.suffix, owner.tools, zero, note)

    def _at_night(self, price: Price, owner: Provider, request: PriceRequest) -> Price | None:
        if "off_peak_pricing" not in price.entry:
            return None
        terms, note = terms_of(price.entry, request, off_peak=True)
        card = compile_card(price.entry, terms)
        return Price(price.key, card, price.entry, price.source, price.date, terms.suffix, owner.tools, note=note)

    def _sized(self, request: PriceRequest, usage: Usage) -> PriceRequest:
        """The request for images of their size and quality, where the map has such an entry and no tokens are told."""
        if usage.images and not usage.output_tokens:
            for name in naming.sized(request.response_model or request.request_model or "", usage):
                sized = request._replace(response_model=name, request_model=None)
                if naming.find(self.map.models, provider(request.provider), [name], request.region):
                    return sized
        return request

    def _own_rows(self, request: PriceRequest) -> tuple[Row, ...]:
        """The user's rows for a call: for the name that was asked for, else for the one that answered."""
        for name in (request.request_model, request.response_model):
            for spelled in (f"{request.provider}/{name}", name):
                if spelled in self._rows:
                    return self._rows[spelled]
        return ()

    def _own(self, row: Row, owner: Provider, request: PriceRequest) -> Price:
        entry = dict(row.fields)
        if row.same_as is not None:
            key = naming.find(self.map.models, owner, [row.same_as], request.region)
            key = key or naming.find(self.map.models, provider(None), [row.same_as], None)
            entry = {**self.map.models.get(key or "", {}), **entry}
        terms, note = terms_of(entry, request)
        return Price(
            row.name, compile_card(entry, terms), entry, "override", row.date, terms.suffix, owner.tools, note=note
        )

    def _hint(self, owner: Provider, names: list[str], request: PriceRequest) -> str:
        name = names[0] if names else ""
        if not name:
            return "no price: the call names no model"
        near = naming.nearest(self.map.models, owner, name)
        known = f"; nearest known: {', '.join(near)}" if near else ""
        whose = f" of {request.provider}" if request.provider not in (None, UNKNOWN) else ""
        name = name if len(name) <= _LONGEST_SHOWN else f"{name[: _LONGEST_SHOWN - 1]}…"
        return f"no price for {name!r}{whose}; set one in llmcost.toml, [prices.{json.dumps(name)}]{known}"


def _lists_only_zeros(entry: Entry) -> bool:
    costs = [value for name, value in entry.items() if "cost" in name and isinstance(value, (int, float))]
    return not any(costs) and not entry.get("tiered_pricing") and not entry.get("search_context_cost_per_query")
