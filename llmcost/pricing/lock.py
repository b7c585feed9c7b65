"""The lock file of ``llmcost prices pin``: which map a project's costs are computed with."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Final

from llmcost.errors import PriceMapError, reason
from llmcost.pricing.pricemap import PriceMap

log: Final = logging.getLogger("llmcost")

LOCK_FILE: Final = "prices.lock"


def digest(prices: PriceMap) -> str:
    """A hash of all prices of a map; its origin does not count."""
    models = {key: dict(entry) for key, entry in prices.models.items()}
    return hashlib.sha256(json.dumps(models, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def pin(path: Path, prices: PriceMap) -> None:
    """Write the lock file: source, version, date and hash of the map."""
    meta = prices.meta
    document = {"source": meta.source, "version": meta.version, "date": meta.date, "sha256": digest(prices)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def mismatch(path: Path, prices: PriceMap) -> str | None:
    """One line that says how the map differs from the lock file; None where it does not, or nothing is pinned.

    Raises:
        PriceMapError: the lock file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        pinned = json.loads(path.read_text(encoding="utf-8"))
        wanted, source = pinned["sha256"], f"{pinned['source']} {pinned['version']}"
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise PriceMapError(f"{path}: not a price lock file: {reason(exc)}") from None
    if wanted == digest(prices):
        return None
    return f"{path}: prices are pinned to {source}, but {prices.meta.source} {prices.meta.version} is in use"


def check(path: Path, prices: PriceMap) -> None:
    """Log a map that differs from the lock file; a program goes on, ``llmcost doctor`` fails."""
    line = mismatch(path, prices)
    if line is not None:
        log.warning("llmcost: %s", line)
