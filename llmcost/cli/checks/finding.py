"""What a check looks at, and what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llmcost import config
from llmcost.store.paths import StoreFolder


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has to say.

    Attributes:
        check: the check's name.
        ok: False where something keeps costs from being complete or right.
        message: one line.
        fix: what to do: where something is wrong, or where something that is well could be better, which is a note.
    """

    check: str
    ok: bool
    message: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at: settings, store, environment, the map in use, and today's date."""

    settings: config.Config
    folder: StoreFolder
    map_path: Path | None
    environ: Mapping[str, str]
    now: datetime


Check = Callable[[Surroundings], Iterator[Finding]]
