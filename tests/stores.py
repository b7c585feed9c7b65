"""Stores for tests, filled at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from llmcost.calls import Call
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder
from llmcost.store.record import Mark
from llmcost.store.spool import Spool


def filled(root: Path, calls: Iterable[Call], marks: Iterable[Mark] = ()) -> StoreFolder:
    """A folded store that holds these calls and marks."""
    folder = StoreFolder(root)
    spool = Spool(folder)
    for call in calls:
        spool.append(call)
    for mark in marks:
        spool.mark(mark)
    spool.close()
    fold(folder)
    return folder
