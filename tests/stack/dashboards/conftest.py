"""A real Prometheus that holds the made-up day.

The rows of the dashboards are no part of the wheel; they are imported from the checkout, after all else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from stack.dashboards.binaries import binary
from stack.dashboards.prometheus import Prometheus, prometheus
from stack.dashboards.replay import Aggregations, Replay

sys.path.append(str(Path(__file__).resolve().parents[3]))


@dataclass(frozen=True, slots=True)
class Filled:
    """The server, the end of the day (Unix seconds), and what its calls cost together (USD)."""

    server: Prometheus
    end: float
    total: float


@contextmanager
def _filled(folder: Path, aggregations: Aggregations | None = None) -> Iterator[Filled]:
    with prometheus(binary("prometheus"), folder) as server:
        end_ns = time.time_ns()
        replay = Replay(server.url, end_ns, aggregations)
        replay.run()
        yield Filled(server, end_ns / 1e9, replay.total)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The day ends now, so that *today* and *this month* have data."""
    with _filled(tmp_path_factory.mktemp("prometheus")) as made:
        yield made


@pytest.fixture(scope="session")
def filled_natively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The same day from programs that send native histograms, and so no classic ones."""
    native: Aggregations = {Histogram: ExponentialBucketHistogramAggregation()}
    with _filled(tmp_path_factory.mktemp("native"), native) as made:
        yield made
