"""The ledger's foresight: sums of calls by time, the state of each series, and what was found, for all processes."""

from llmcost.control.feed.contract import Feed, FeedRow, Found, Kept, Step, Sums, key_of, scopes_of, who_of
from llmcost.control.feed.opening import open_feed

__all__ = [
    "Feed",
    "FeedRow",
    "Found",
    "Kept",
    "Step",
    "Sums",
    "key_of",
    "open_feed",
    "scopes_of",
    "who_of",
]
