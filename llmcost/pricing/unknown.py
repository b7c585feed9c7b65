"""Models without a price: one warning each, and a count that metrics and ``llmcost doctor`` read."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

log: Final = logging.getLogger("llmcost")

unpriced: Final[Counter[tuple[str, str]]] = Counter()
"""Calls without a price since the process started, by provider and model."""

_MOST: Final = 1000
"""Names come from outside, so their number is bounded; further ones count as ``other``."""
_OTHER: Final = ("other", "other")


def note_unknown(provider: str | None, model: str, hint: str) -> None:
    """Count a call without a price; the first of a model is logged with its hint."""
    name = (provider or "", model)
    if name not in unpriced and len(unpriced) >= _MOST:
        name = _OTHER
    unpriced[name] += 1
    if unpriced[name] == 1 and name is not _OTHER:
        log.warning("llmcost: %s", hint)
