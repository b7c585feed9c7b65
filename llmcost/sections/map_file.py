"""Finding the semantic map and noticing when it changes."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from llmcost.errors import SemanticMapError
from llmcost.sections.semantic_map import FOLDER, LABELS_NAME, MAP_NAME, SemanticMap, load

log: Final = logging.getLogger("llmcost")

INTERVAL: Final = 5.0
"""Seconds between two looks at the file."""

EMPTY: Final = SemanticMap()
_Stamp = tuple[int, int, int, int] | None


def locate(folders: Iterable[str | os.PathLike[str]] | None = None) -> Path | None:
    """The nearest ``.llmcost/semantic_map.json`` at or above any of ``folders``, in their order.

    By default: the folder of the entry script, the working directory, ``sys.path[0]``.
    """
    seen: set[Path] = set()
    for start in _starts() if folders is None else folders:
        folder = Path(os.path.abspath(start))
        for candidate in (folder, *folder.parents):
            if candidate in seen:
                break
            seen.add(candidate)
            path = candidate / FOLDER / MAP_NAME
            if _stamp(path) is not None:
                return path
    return None


def _starts() -> list[str]:
    starts: list[str] = []
    entry = _entry_script()
    if entry is not None:
        starts.append(os.path.dirname(os.path.abspath(entry)))
    with contextlib.suppress(OSError):  # the working directory may have been removed
        starts.append(os.getcwd())
    if sys.path and os.path.isdir(sys.path[0]):
        starts.append(sys.path[0])
    return starts


def _entry_script() -> str | None:
    """The file of the main module; before that runs, as in a ``sitecustomize``, the one named on the command line."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if isinstance(file, str):
        return file
    named = sys.argv[0] if getattr(sys, "argv", None) else ""
    return named if os.path.isfile(named) else None


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


class WatchedMap:
    """The map as it is now: looked for on first use, then looked at again at most every :data:`INTERVAL` seconds.

    It is found late because an auto-instrumentation starts before the entry script is known. A broken map is named in
    one warning and the last good one stays. There is no lock: two threads that look at once read the same file twice.

    Args:
        path: the map; None looks for it.
        clock: seconds that only grow.
    """

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._explicit = path
        self._clock = clock
        self.due = float("-inf")
        self._stamps: tuple[_Stamp, _Stamp] = (None, None)
        self._told: set[str] = set()
        self._packages: set[str] = set()
        self.path: Path | None = path
        self.current: SemanticMap = EMPTY

    def refresh(self) -> SemanticMap:
        """The map, read again if it is time to look and the file has changed."""
        now = self._clock()
        if now >= self.due:
            self.due = now + INTERVAL
            self._look()
        return self.current

    def adopt_package(self, module: str) -> bool:
        """Where no map was found otherwise: take the one that the module's package carries as data.

        Returns:
            Whether a map was found just now.
        """
        package = module.partition(".")[0]
        if self._explicit is not None or self.current or package in self._packages:
            return False
        self._packages.add(package)
        file = getattr(sys.modules.get(package), "__file__", None)
        if not isinstance(file, str) or os.path.basename(file) != "__init__.py":
            return False
        path = Path(os.path.abspath(file)).parent / FOLDER / MAP_NAME
        if _stamp(path) is None:
            return False
        self.path = path
        self._look()
        return bool(self.current)

    def _look(self) -> None:
        path = self.path
        if path is None or _stamp(path) is None:
            path = self._explicit or locate()
        stamps = (None, None) if path is None else (_stamp(path), _stamp(path.with_name(LABELS_NAME)))
        if path is None or stamps[0] is None:
            self._missing()
            return
        if stamps == self._stamps:
            return
        self.path, self._stamps = path, stamps
        try:
            self.current = load(path)
            self._told.discard(str(path))
        except SemanticMapError as exc:
            self._tell(str(path), f"semantic map not used: {exc}")

    def _missing(self) -> None:
        if self._explicit is not None:
            self._tell(str(self._explicit), f"semantic map not used: no such file: {self._explicit}")
        elif not self.current:
            self._tell("", "no semantic map found, calls are recorded as 'untracked': run `llmcost scan`")

    def _tell(self, about: str, message: str) -> None:
        """One warning about each file until it is good again. ``%s`` keeps names from outside out of the format."""
        if about not in self._told:
            self._told.add(about)
            log.warning("llmcost: %s", message)
