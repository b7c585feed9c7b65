"""Programs that serve on loopback: started on free ports, waited for, and ended."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

_PATIENCE_S: Final = 60.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


@contextmanager
def serving(command: Sequence[str], log: Path, health: str) -> Iterator[None]:
    """Run a program for the block, which begins once the address ``health`` answers with success."""
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
    try:
        _wait(health, process, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(health: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urlopen(health, timeout=1):
                return
        except (HTTPError, URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"not ready within {_PATIENCE_S:g} s: {log.read_text()[-2000:]}")
