"""Nobody answers, or nobody is there: the program does not wait, and its end is bounded."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.programs import RUN, run, write
from e2e.test_processes import assert_exact

pytestmark = pytest.mark.e2e

EXIT_SECONDS = 5.0
"""The stated bound from the program's last line to its end, for traces and metrics together."""

TIMED = """
import sys, time
calls(1)
began = time.perf_counter()
calls(50)
print(time.perf_counter() - began, flush=True)
print(time.time(), flush=True)
"""


@pytest.fixture(params=["refuses", "never answers"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.getsockname()[1]
        if request.param == "refuses":
            listener.close()
        else:
            listener.listen(64)
        yield number


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_dead_collector_costs_the_program_nothing(tmp_path: Path, port: int, protocol: str) -> None:
    app = write(tmp_path, TIMED)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    done = run([*RUN, app], tmp_path, env=env)
    ended = time.time()
    assert done.returncode == 0, done.stderr
    seconds, last = (float(line) for line in done.stdout.split())
    assert seconds < 2, "fifty calls take milliseconds"
    assert ended - last < EXIT_SECONDS + 2, "two seconds for a slow machine"
    assert_exact(tmp_path, 51)
    # One of the exporter and one at the end for traces and for metrics, and that there is no map.
    assert len(done.stderr.splitlines()) <= 5, done.stderr
