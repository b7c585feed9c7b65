"""Ends of a process that run no ``atexit``: what waits is sent first, within a stated time."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import metrics, trace

SHUTDOWN_SECONDS: Final = 5.0
"""The longest that the end of the program waits for all signals together, in parallel."""


def in_parallel(seconds: float, *works: Callable[[], Any]) -> None:
    """Run all at once and wait for them together. Python 3.12 starts no thread once the interpreter ends: then one
    after the other, each within its exporter's own time."""
    deadline = time.monotonic() + seconds
    threads = []
    for work in works:
        thread = threading.Thread(target=work, daemon=True, name="llmcost-export")
        try:
            thread.start()
        except RuntimeError:
            work()
        else:
            threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def is_exporting() -> bool:
    """Whether this process has a provider that something may wait in: the SDK's, not the API's."""
    return bool(_flushes())


def flush_at_the_end(write: Callable[[], None]) -> None:
    """Flush the global providers, the application's as well as ours, where a process ends without ``atexit``: when it
    is told to, and as a worker of multiprocessing. Takes :data:`SHUTDOWN_SECONDS` at most.

    Args:
        write: what is to be done first, such as to finish calls and write the store.
    """
    flush_on_sigterm(write)
    _flush_in_workers(write)


def flush_on_sigterm(write: Callable[[], None]) -> bool:
    """Flush when the process is told to end, where the program left SIGTERM alone; then end as it would have.

    A handler of the program is never replaced, and the exit status stays that of a process killed by SIGTERM.

    Returns:
        Whether the handler is in place.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False

    def handler(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        _flush(write)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handler)
    return True


@functools.cache
def _flush_in_workers(write: Callable[[], None]) -> None:
    """Forked processes of multiprocessing end without ``atexit``; they run finalizers, which each has of its own."""

    def hook(util: ModuleType) -> None:
        util.register_after_fork(write, lambda _: util.Finalize(None, _flush, args=(write,), exitpriority=0))

    wrapt.register_post_import_hook(hook, "multiprocessing.util")


def _flush(write: Callable[[], None]) -> None:
    """In a thread of its own: the one that a signal has interrupted may hold any lock."""

    def everything() -> None:
        write()
        in_parallel(SHUTDOWN_SECONDS, *_flushes())

    in_parallel(SHUTDOWN_SECONDS, everything)


def _flushes() -> list[Callable[[], object]]:
    """One for each global provider that can be flushed; that of logs only where the program uses it."""
    providers: list[Any] = [trace.get_tracer_provider(), metrics.get_meter_provider()]
    logs = sys.modules.get("opentelemetry._logs")
    if logs is not None:
        providers.append(logs.get_logger_provider())
    return [provider.force_flush for provider in providers if hasattr(provider, "force_flush")]
