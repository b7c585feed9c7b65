"""Reads many files in several processes.

Plain subprocesses are used, not ``multiprocessing``: that imports the caller's main module again, or forks a process
that may have threads.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from llmcost_analyzer.project import Source
from llmcost_analyzer.reader import read_one

_COMMAND: Final = "from llmcost_analyzer.workers import work; work()"
Result = tuple[Source, bytes]


def read_all(sources: Sequence[Source], processes: int) -> Iterator[Result]:
    """Facts of all files, in no order. What a process that died did not read is read here."""
    shares = [sources[at::processes] for at in range(processes)]
    results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
    threads = [threading.Thread(target=_drive, args=(share, results), daemon=True) for share in shares if share]
    for thread in threads:
        thread.start()
    left = {source.path: source for source in sources}
    running = len(threads)
    while running:
        result = results.get()
        if result is None:
            running -= 1
            continue
        left.pop(result[0].path, None)
        yield result
    for source in left.values():
        yield source, read_one(source)


def _drive(share: Sequence[Source], results: queue.SimpleQueue[Result | None]) -> None:
    """Run one process over its share and pass on what it answers."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as process:
            if process.stdin is not None and process.stdout is not None:
                process.stdin.write(pickle.dumps(list(share)))
                process.stdin.close()
                _collect(process.stdout, share, results)
    except OSError:
        pass  # what was not answered is read by the caller
    finally:
        results.put(None)


def _collect(stream: BinaryIO | object, share: Sequence[Source], results: queue.SimpleQueue[Result | None]) -> None:
    reader = pickle.Unpickler(stream)  # type: ignore[arg-type]  # noqa: S301 - our own process
    for source in share:
        try:
            results.put((source, reader.load()))
        except (EOFError, pickle.UnpicklingError):
            return


def work() -> None:
    """The process: a pickled list of files on stdin, the facts of each on stdout."""
    sources: list[Source] = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by read_all
    out = sys.stdout.buffer
    for source in sources:
        out.write(pickle.dumps(read_one(source), protocol=5))
    out.flush()
