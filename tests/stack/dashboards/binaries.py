"""Where the programs of the stack are: built once into a cache outside the checkout (see docs/how-to/dashboards.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.processes import cache

CACHE = cache()


def binary(name: str) -> Path:
    """A program of the stack, from the cache or the path; the test is skipped where it is not there."""
    found = sorted(CACHE.glob(f"**/bin/{name}"), key=lambda path: path.stat().st_mtime)
    if found:
        return found[-1]
    on_path = shutil.which(name)
    if on_path is None:
        pytest.skip(f"{name} is not built: make stack-tools")
    return Path(on_path)


def tool(folder: str, file: str) -> Path:
    """A file of one of the tools for dashboards, installed with its packages into the cache."""
    found = CACHE / "node" / folder / file
    if not found.exists():
        pytest.skip(f"{folder} is not installed: make stack-tools")
    return found
