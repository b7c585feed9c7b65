"""Prices: what a call costs, at whose rates, and the receipt that shows it."""

from llmcost.pricing.book import LOCAL_FILE, PriceBook, PriceSources
from llmcost.pricing.lock import LOCK_FILE
from llmcost.pricing.overrides import parse as check_rows
from llmcost.pricing.receipt import Line, Receipt
from llmcost.pricing.stated import stated
from llmcost.pricing.tables import provider_names
from llmcost.pricing.terms import PriceRequest, billed_tier
from llmcost.pricing.unknown import unpriced

__all__ = [
    "LOCAL_FILE",
    "LOCK_FILE",
    "Line",
    "PriceBook",
    "PriceRequest",
    "PriceSources",
    "Receipt",
    "billed_tier",
    "check_rows",
    "provider_names",
    "stated",
    "unpriced",
]
