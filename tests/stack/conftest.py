"""The running stack: collector, Prometheus and Jaeger, shared by the tests of a process.

`deploy/` is no part of the wheel; it is imported from the checkout, after all else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack.asking import Asking

sys.path.append(str(Path(__file__).resolve().parents[2]))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """All of it, as `make stack-up` starts it, scraped each second."""
    from deploy.processes import NotBuilt, Stack, free_ports

    stack = Stack(tmp_path_factory.mktemp("stack"), free_ports(), "1s")
    try:
        stack.start()
        yield Asking(stack)
    except NotBuilt as error:
        pytest.skip(str(error))
    finally:
        stack.stop_all()
