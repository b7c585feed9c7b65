"""Starting programs by ``opentelemetry-instrument``, which finds llmcost by its entry points."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
INSTRUMENT = [str(Path(sys.executable).parent / "opentelemetry-instrument")]
"""The launcher of the environment that runs the tests."""


def entry_points_on_path(folder: Path) -> dict[str, str]:
    """``PYTHONPATH`` with which a subprocess finds llmcost's entry points.

    Where llmcost is installed, nothing is needed; where the tests run on a checkout, a small ``dist-info`` with the
    entry points of ``pyproject.toml`` is written into ``folder``.
    """
    inherited = os.environ.get("PYTHONPATH", "")
    try:
        distribution("llmcost-otel")
    except PackageNotFoundError:
        _write_dist_info(folder / "llmcost_otel-0.dist-info")
        inherited = os.pathsep.join(filter(None, [str(folder), inherited]))
    return {"PYTHONPATH": inherited}


def _write_dist_info(folder: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups: Mapping[str, Mapping[str, str]] = project["entry-points"]
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: llmcost-otel\nVersion: 0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
