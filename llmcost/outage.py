"""Messages of our exporters while nobody answers: the first is let through, then one line says how it stands.

Exporters of OpenTelemetry log every try that fails. Only what they log while they export for llmcost is held back: the
exporters of the application log as ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from llmcost.signals import log

EVERY_SECONDS: Final = 300.0
"""How often a failure that goes on is told, and a recovery at most."""
_LOGGERS: Final = "opentelemetry.exporter."


class Outage(logging.Filter):
    """Holds back what the exporters of one signal log too often.

    Args:
        what: what is exported, as people call it.
        clock: the time, in seconds.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._what = what
        self._clock = clock
        self._thread = threading.local()
        self._loggers: tuple[logging.Logger, ...] = ()
        self._failed = False
        self._held = 0
        self._told: float | None = None
        self._recovered: float | None = None

    def watch(self) -> None:
        """Begin with every exporter that has been imported."""
        known = logging.root.manager.loggerDict.items()
        found = [each for name, each in known if name.startswith(_LOGGERS) and isinstance(each, logging.Logger)]
        for logger in found:
            logger.addFilter(self)
        self._loggers = tuple(found)

    def unwatch(self) -> None:
        """Leave the exporters' loggers as they were, and say what is still untold."""
        for logger in self._loggers:
            logger.removeFilter(self)
        self._loggers = ()
        if self._failed and self._held:
            log.warning("llmcost: %s could not be exported; %s", self._what, self._count())

    @contextmanager
    def during(self) -> Iterator[Callable[[bool], None]]:
        """An export of ours, in this thread; gives what is told whether it went well."""
        self._thread.ours = True
        try:
            yield self._ended
        finally:
            self._thread.ours = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if record.levelno < logging.WARNING or not getattr(self._thread, "ours", False):
            return True
        now = self._clock()
        if self._told is None:
            self._told = now
            return True
        self._held += 1
        if now - self._told >= EVERY_SECONDS:
            self._told = now
            log.warning("llmcost: %s are not exported (%s): %s", self._what, self._count(), record.getMessage())
        return False

    def _ended(self, well: bool) -> None:
        recovered, self._failed = self._failed and well, not well
        now = self._clock()
        if recovered and (self._recovered is None or now - self._recovered >= EVERY_SECONDS):
            self._recovered, self._told = now, None
            log.warning("llmcost: %s are exported again; %s", self._what, self._count())
        if well:
            self._held = 0  # a try that failed and was mended by the next is no news

    def _count(self) -> str:
        held, self._held = self._held, 0
        return f"{held} more message{'' if held == 1 else 's'} of the exporter held back"
