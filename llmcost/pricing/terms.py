"""The terms of a call: what decides its rates besides the entry and the usage, which are its tier and its region."""

from __future__ import annotations

from typing import NamedTuple

from llmcost.pricing.entries import Entry
from llmcost.pricing.rates import Terms
from llmcost.pricing.tables import tiers


class PriceRequest(NamedTuple):
    """What decides a call's price besides its usage; equal requests share one resolved price.

    ``service_tier`` is the tier that is billed (see :func:`billed_tier`); ``region`` the cloud region, data residency
    or location that served the call.
    """

    provider: str | None
    response_model: str | None
    request_model: str | None = None
    service_tier: str | None = None
    region: str | None = None


def billed_tier(served: str | None, requested: str | None) -> str | None:
    """The tier that a call is billed at: the one that served it; the one asked for only where the response is silent or
    repeats ``auto``."""
    if served is not None and served.lower() != "auto":
        return served
    return requested


def terms_of(entry: Entry, request: PriceRequest, *, off_peak: bool = False) -> tuple[Terms, str | None]:
    """The terms of an entry for a request, and a note where its tier is not known."""
    tier = (request.service_tier or "").lower()
    special = entry.get("provider_specific_entry") or {}
    multiplier, uplift, note = 1.0, [], None
    suffix = tiers().get(tier, "")
    if isinstance(special.get(tier), (int, float)):
        suffix, multiplier = "", float(special[tier])
        uplift.append(f"x {multiplier:g} for {tier}")
    elif tier not in tiers():
        note = f"unknown service tier {request.service_tier!r}, priced at the standard rates"
    region = _regional(entry, (request.region or "").lower())
    if region is not None:
        multiplier *= region
        uplift.append(f"x {region:g} for region {request.region}")
    return Terms(suffix, off_peak, multiplier, ", ".join(uplift)), note


def _regional(entry: Entry, region: str) -> float | None:
    """The uplift of a region: of data residency, of an endpoint that is not global, or of the provider's own kind."""
    if not region:
        return None
    named = entry.get(f"regional_processing_uplift_multiplier_{region}")
    if named is None and region != "global":
        named = entry.get("regional_endpoint_uplift_multiplier")
    if named is None:
        named = (entry.get("provider_specific_entry") or {}).get(region)
    return float(named) if isinstance(named, (int, float)) else None
