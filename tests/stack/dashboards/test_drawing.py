"""Every dashboard passes Grafana's schema, and is drawn from live data by Grafana's own libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from stack.dashboards.binaries import binary
from stack.dashboards.conftest import Filled
from stack.dashboards.draw import DASHBOARDS, draw
from stack.dashboards.rows import panels

from grafana.boards import BOARDS
from grafana.query import Prom, TraceQL

pytestmark = pytest.mark.slow

PANELS = {(uid, panel.title): panel for uid, panel in panels()}


def test_dashcheck_finds_nothing_that_grafanas_schema_does_not_know() -> None:
    command = [str(binary("dashcheck")), *(str(path) for path in DASHBOARDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count(": ok, ") == len(BOARDS)


def test_every_panel_is_drawn_or_is_known_not_to_be(filled: Filled, tmp_path: Path) -> None:
    if not shutil.which(os.environ.get("CHROMIUM", "chromium")):
        pytest.skip("no Chromium")
    results = draw(filled.server.url, filled.end, tmp_path)
    assert len(results) == len(BOARDS)
    for name, listed in results.items():
        for shown in listed:
            if shown["type"] == "text":
                continue
            panel = PANELS[f"llmcost-{name}", shown["title"]]
            of_traces = isinstance(panel.queries[0], TraceQL)
            healthy = all(isinstance(each, Prom) and each.empty_when_healthy for each in panel.queries)
            allowed = {"not drawn here"} if of_traces else {"drawn", "no data"} if healthy else {"drawn"}
            assert shown["result"] in allowed, f"{name}: {shown}"
