"""The real server that the machines of the ledger share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledgers import RedisServer, running_server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server
