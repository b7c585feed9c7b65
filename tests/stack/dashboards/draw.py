"""Draws the dashboards from the made-up day: ``make pictures`` keeps them in docs.

Grafana's own libraries draw, in headless Chromium, against a real Prometheus (see grafana/tools/render). No Grafana
server is part of it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stack.dashboards.binaries import binary, tool
from stack.dashboards.history import HOURS
from stack.dashboards.prometheus import prometheus
from stack.dashboards.replay import Replay

REPOSITORY: Final = Path(__file__).resolve().parents[3]
DASHBOARDS: Final = sorted((REPOSITORY / "grafana" / "dashboards").glob("*.json"))
PICTURES: Final = REPOSITORY / "docs" / "how-to" / "dashboards"


def draw(url: str, end: float, folder: Path, boards: Sequence[Path] = DASHBOARDS) -> dict[str, list[dict[str, Any]]]:
    """Draw dashboards for the day that ended at ``end`` (Unix seconds).

    Returns:
        For each dashboard what became of its panels: title, type, result and error.
    """
    command = ["node", str(tool("render", "render.mjs")), "--prometheus", url, "--out", str(folder)]
    command += ["--from", _iso(end - HOURS * 3600), "--to", _iso(end), *(str(board) for board in boards)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = {board.stem: folder / f"{board.stem}.report.json" for board in boards}
    missing = [name for name, report in reports.items() if not report.exists()]
    assert not missing, f"not drawn: {missing}\n{done.stdout}{done.stderr}"
    found = {name: json.loads(report.read_text()) for name, report in reports.items()}
    faults = {name: report["errors"] for name, report in found.items() if report["errors"]}
    assert not faults, faults
    return {name: report["panels"] for name, report in found.items()}


def _keep(picture: Path) -> None:
    """Put a picture into docs, with fewer colours where pngquant is installed."""
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--ext=.png", "--speed=1", "128", str(picture)], check=True)
    (PICTURES / picture.name).write_bytes(picture.read_bytes())


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def main() -> None:
    """Fill a Prometheus, draw all dashboards, and keep the pictures."""
    with tempfile.TemporaryDirectory() as scratch, prometheus(binary("prometheus"), Path(scratch)) as server:
        end_ns = time.time_ns()
        Replay(server.url, end_ns).run()
        panels = draw(server.url, end_ns / 1e9, Path(scratch))
        PICTURES.mkdir(parents=True, exist_ok=True)
        for name in panels:
            _keep(Path(scratch) / f"{name}.png")
    for name, shown in panels.items():
        for panel in shown:
            sys.stdout.write(f"{panel['result']:16} {name}: {panel['title']}\n")


if __name__ == "__main__":
    main()
