"""Where a store lives: one folder with the database, the spool and a ``.gitignore``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER_NAME: Final = ".llmcost"
SUFFIX: Final = ".spool"
"""The end of a spool file's name; it begins with the process id."""
HIDDEN: Final = "."
"""The begin of a spool file's name until it is locked."""
_IGNORED: Final = (
    "# Written by llmcost. Calls stay on this machine; maps and settings may be committed.\n"
    "*.db\n*.db-*\nspool/\nforesight/\nunsettled/\n"
)


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """The files of one store. Everything in it is for its owner alone: folders 0700, files 0600."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "calls.db"

    @property
    def spool(self) -> Path:
        """The folder of the spool files, one a process."""
        return self.root / "spool"

    @property
    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return self.database.exists() or self.spool.is_dir()

    def create(self) -> None:
        """Make the folders, and the ``.gitignore`` where there is none.

        Raises:
            OSError: the place cannot be written.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.spool.mkdir(mode=0o700, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            ignore.write_text(_IGNORED, encoding="utf-8")


def find(start: Path) -> StoreFolder:
    """The store at or above ``start``: the nearest ``.llmcost`` that holds one, else ``start/.llmcost``."""
    for folder in (start, *start.parents):
        candidate = StoreFolder(folder / FOLDER_NAME)
        if candidate.exists:
            return candidate
    return StoreFolder(start / FOLDER_NAME)
