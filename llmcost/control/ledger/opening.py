"""From a URL to a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from llmcost.control.ledger.contract import Ledger
from llmcost.control.ledger.memory import MemoryLedger
from llmcost.control.ledger.sqlite import SqliteLedger
from llmcost.errors import ConfigError

Clock = Callable[[], float]


def open_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """The ledger that a URL names. Nothing is opened before the first use.

    ``memory://``; ``sqlite:///absolute/path`` or ``sqlite:relative/path``; ``redis://host:port/db`` (also ``rediss://``,
    ``valkey://``, ``unix://``), with ``?namespace=NAME`` to keep ledgers in one server apart. ``?wait_ms=`` and
    ``?hold_s=`` change how long a call waits and how long a hold lasts.

    Args:
        url: the ledger's address.
        clock: Unix time in seconds, for tests; the machine's or the server's by default.

    Raises:
        ConfigError: naming what is wrong with the URL.
        MissingExtra: the client of the back end is not installed.
    """
    scheme = url.partition(":")[0]
    if scheme not in _MAKERS:
        raise ConfigError(f"ledger: {url!r} starts with none of {', '.join(f'{name}:' for name in _MAKERS)}")
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    settings = {
        ours: _seconds(options.pop(key), key, scale) for key, (ours, scale) in _SETTINGS.items() if key in options
    }
    rest = urlunsplit(parts._replace(query="&".join(f"{key}={value}" for key, value in options.items())))
    return _MAKERS[scheme](rest, clock, settings)


_SETTINGS: Final[Mapping[str, tuple[str, float]]] = {"wait_ms": ("wait_s", 0.001), "hold_s": ("hold_s", 1.0)}


def _seconds(text: str, key: str, scale: float) -> float:
    try:
        return float(text) * scale
    except ValueError:
        raise ConfigError(f"ledger: {key}={text!r} is not a number") from None


def _memory(_: str, clock: Clock | None, settings: dict[str, float]) -> Ledger:
    settings.pop("wait_s", None)
    return MemoryLedger(clock or time.time, **settings)


def _sqlite(url: str, clock: Clock | None, settings: dict[str, float]) -> Ledger:
    path = unquote(urlsplit(url).path)
    if not path.strip("/"):
        raise ConfigError(f"ledger: {url!r} names no file; write sqlite:///path/to/file")
    return SqliteLedger(Path(path), clock or time.time, **settings)


def _redis(url: str, clock: Clock | None, settings: dict[str, float]) -> Ledger:
    from llmcost.control.ledger.redis import TIMEOUT_S, RedisLedger

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    namespace = options.pop("namespace", "default")
    rest = urlunsplit(parts._replace(query="&".join(f"{key}={value}" for key, value in options.items())))
    timeout_s = settings.pop("wait_s", TIMEOUT_S)
    return RedisLedger(rest, clock, timeout_s=timeout_s, namespace=namespace, **settings)


_MAKERS: Final[Mapping[str, Callable[[str, Clock | None, dict[str, float]], Ledger]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "redis": _redis,
    "rediss": _redis,
    "valkey": _redis,
    "valkeys": _redis,
    "unix": _redis,
}
