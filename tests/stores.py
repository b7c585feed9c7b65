"""Stores for tests: filled at once, and worked on by a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


KILLING = """
import os, sqlite3, sys
from pathlib import Path
from llmcost.store import database, rollup
from llmcost.store.paths import StoreFolder
from llmcost.store.prune import prune
folder, left = StoreFolder(Path(sys.argv[1])), int(sys.argv[2])
class Killing(sqlite3.Connection):
    def execute(self, *arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return super().execute(*arguments)
connect = sqlite3.connect
database.sqlite3.connect = lambda *a, **k: connect(*a, factory=Killing, **k)
"""


def killed(work: str, folder: StoreFolder, statements: int, *further: object) -> None:
    """Work on a store in a process of its own, which is killed before a statement.

    Args:
        work: Python that finds ``folder``, ``database``, ``rollup``, ``prune`` and, from the third on, ``sys.argv``.
        folder: of the store.
        statements: how many are made.
        further: more arguments.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLING + work, str(folder.root), str(statements), *map(str, further)]
    assert subprocess.run(command, check=False, env=environment).returncode == -signal.SIGKILL
