"""The real server that the suites over back ends share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import BENCHES, Bench, RedisServer, new_server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = new_server()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return BENCHES[request.param](tmp_path, lambda: request.getfixturevalue("redis_server"))
