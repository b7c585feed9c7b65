"""The one place where our own faults are kept from the user's program."""

from __future__ import annotations

import logging
import os
from collections import Counter
from types import TracebackType
from typing import Final

from llmcost import semconv

log: Final = logging.getLogger("llmcost")

internal_errors: Final[Counter[str]] = Counter()
"""Faults caught since the process started, by place; read by metrics and ``llmcost doctor``."""


class guard:  # noqa: N801 - reads as a verb at the place of use
    """Run a block of ours; swallow, count and log (once a place) any exception of it.

    ``KeyboardInterrupt``, ``SystemExit`` and ``GeneratorExit`` pass. Under ``LLMCOST_STRICT=1``, which our own test
    suite sets, everything passes.

    Args:
        place: a short name for the block, used as the key of the counter.
    """

    __slots__ = ("place",)

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if exc is None or not isinstance(exc, Exception):
            return False
        internal_errors[self.place] += 1
        if internal_errors[self.place] == 1:
            log.warning(
                "llmcost: internal error in %s, the program is not affected (%s: %s)",
                self.place,
                type(exc).__name__,
                exc,
                exc_info=log.isEnabledFor(logging.DEBUG),
            )
        return os.environ.get(semconv.ENV_STRICT.name) != "1"
