"""A real Prometheus that holds the made-up day.

The rows of the dashboards are no part of the wheel; they are imported from the checkout, after all else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stack.dashboards.binaries import binary
from stack.dashboards.prometheus import Prometheus, prometheus
from stack.dashboards.replay import Replay

sys.path.append(str(Path(__file__).resolve().parents[3]))


@dataclass(frozen=True, slots=True)
class Filled:
    """The server, the end of the day (Unix seconds), and what its calls cost together (USD)."""

    server: Prometheus
    end: float
    total: float


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The day ends now, so that *today* and *this month* have data."""
    with prometheus(binary("prometheus"), tmp_path_factory.mktemp("prometheus")) as server:
        end_ns = time.time_ns()
        replay = Replay(server.url, end_ns)
        replay.run()
        yield Filled(server, end_ns / 1e9, replay.total)
