"""What a process leaves at its end for others to book: one small file, since opening a ledger then would take longer
than many a script."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from llmcost.processors.sums import Row

FOLDER: Final = "foresight"
"""In the ledger's folder."""
_HIDDEN: Final = "."


class Tray:
    """Files of rows in a folder.

    Args:
        folder: made at the first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave(self, rows: Sequence[Row]) -> None:
        """Write rows as a file of their own, whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = os.urandom(12).hex()
        hidden = self.folder / f"{_HIDDEN}{name}"
        descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, json.dumps(rows).encode())
        finally:
            os.close(descriptor)
        hidden.rename(self.folder / name)

    def found(self) -> list[str]:
        """Names of the files that were left."""
        try:
            return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(_HIDDEN))
        except OSError:
            return []

    def read(self, name: str) -> list[Row]:
        """The rows of a file; none where it is gone or damaged."""
        try:
            return [(slot, values, sums) for slot, values, sums in json.loads((self.folder / name).read_bytes())]
        except (OSError, ValueError):
            return []

    def done(self, name: str) -> None:
        """The rows are booked."""
        (self.folder / name).unlink(missing_ok=True)
