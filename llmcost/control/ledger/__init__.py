"""Ledgers: what was spent, what is held by calls in flight, in memory, in a file, or in Redis."""

from llmcost.control.ledger.contract import (
    Bucket,
    Counter,
    Entry,
    Expired,
    Ledger,
    LedgerFailure,
    Option,
    Refusal,
    Request,
    Reservation,
    State,
)
from llmcost.control.ledger.opening import open_ledger

__all__ = [
    "Bucket",
    "Counter",
    "Entry",
    "Expired",
    "Ledger",
    "LedgerFailure",
    "Option",
    "Refusal",
    "Request",
    "Reservation",
    "State",
    "open_ledger",
]
