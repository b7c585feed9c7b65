"""From a ledger's URL to its feed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from llmcost.control.feed.contract import Feed
from llmcost.control.feed.memory import MemoryFeed
from llmcost.control.feed.sqlite import SqliteFeed
from llmcost.errors import ConfigError

SUFFIX: Final = ".foresight"
"""Stands before the ending of a ledger's file name: ``ledger.db`` has its feed in ``ledger.foresight.db``."""

_NETWORK: Final = frozenset({"redis", "rediss", "valkey", "valkeys", "unix"})


def open_feed(url: str, clock: Callable[[], float] | None = None) -> Feed:
    """The feed that belongs to a ledger. Nothing is opened before the first use.

    Args:
        url: the ledger's address, as :func:`~llmcost.control.ledger.open_ledger` takes it.
        clock: Unix time in seconds, for tests; the machine's or the server's by default.

    Raises:
        ConfigError: the URL names no ledger.
        MissingExtra: the client of the back end is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryFeed(clock or time.time)
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        ledger = Path(unquote(parts.path))
        return SqliteFeed(ledger.with_name(f"{ledger.stem}{SUFFIX}{ledger.suffix}"), clock or time.time)
    if parts.scheme in _NETWORK:
        from llmcost.control.feed.redis import RedisFeed

        options = dict(parse_qsl(parts.query))
        namespace = options.pop("namespace", "default")
        for key in ("wait_ms", "hold_s"):
            options.pop(key, None)
        rest = urlunsplit(parts._replace(query="&".join(f"{key}={value}" for key, value in options.items())))
        return RedisFeed(rest, clock, namespace=namespace)
    raise ConfigError(f"ledger: {url!r} names no ledger")
