"""Who still writes to a spool file: its writer holds a shared lock on it for as long as it lives."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted: that is lock enough
    fcntl = None  # type: ignore[assignment]


def hold(descriptor: int) -> None:
    """Keep a spool file from being deleted until this descriptor is closed, at the latest when the process ends."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def abandoned(path: Path) -> bool:
    """Whether no living process writes to the file."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
