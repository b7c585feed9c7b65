"""Calls on their way into the local store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from llmcost.calls import Call
from llmcost.store.background import BackgroundFolding
from llmcost.store.paths import StoreFolder
from llmcost.store.record import Mark
from llmcost.store.spool import Spool


class StoreSpanProcessor(SpanProcessor):
    """Leaves each finished call in the spool; folding happens in a thread of its own.

    Args:
        spool: where the calls go.
        folding: folds in the background; without it the spool waits for the next reader of the store.
        clock: Unix time in nanoseconds, for what is no call.
    """

    def __init__(
        self, spool: Spool, folding: BackgroundFolding | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._spool = spool
        self._folding = folding
        self._clock = clock

    @classmethod
    def at(cls, folder: Path) -> Self:
        """A processor for the store in ``folder``, which folds in the background."""
        spool = Spool(StoreFolder(folder))
        return cls(spool, BackgroundFolding(spool))

    def observe(self, call: Call, context: Context | None = None) -> None:  # noqa: ARG002 - the record holds its ids
        """Write the call."""
        self._spool.append(call)
        if self._folding is not None:
            self._folding.nudge()

    def unseen(self, host: str) -> None:
        """Note a request to a provider that could not be read as a call; reports show how many there were."""
        self._spool.mark(Mark("unseen", host, 1, self._clock()))

    @property
    def waiting(self) -> int:
        """Calls that wait in memory because the disk refuses them."""
        return self._spool.waiting

    @property
    def dropped(self) -> int:
        """Calls that were dropped, since too many waited; those of the parents of this process too."""
        return self._spool.dropped_ever

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - a write to a file takes no time
        """Whether everything is with the operating system. Folding is not waited for: it loses nothing."""
        return self._spool.flush()

    def shutdown(self) -> None:
        """Write what waits and end; never waits for folding."""
        self._spool.flush()
        if self._folding is not None:
            self._folding.stop()
        self._spool.close()


class StoreSpanExporter(SpanExporter):
    """What ``OTEL_TRACES_EXPORTER=llmcost`` names: the local store. Calls reach it from the flow, not as spans, so that
    it is exact under any sampling; spans themselves are not kept.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - nothing is sent anywhere
        """Take the spans, and keep none."""
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        """Nothing waits."""
        return True
