"""A scan as the commands that print it see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmcost_analyzer import mapfile
from llmcost_analyzer.entries import Entry, Scan
from llmcost_analyzer.scanner import FOLDER


@dataclass(frozen=True, slots=True)
class Finished:
    """A scan with the last labels brought over."""

    root: Path
    scan: Scan
    entries: list[Entry]
    changes: mapfile.Changes

    @property
    def folder(self) -> Path:
        """The ``.llmcost`` folder of the project."""
        return self.root / FOLDER
