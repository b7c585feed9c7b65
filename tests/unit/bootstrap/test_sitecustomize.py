"""What every Python below ``llmcost run`` loads, in an interpreter that llmcost is not installed for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmcost import bootstrap
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.fold import fold
from llmcost.store.listing import newest
from llmcost.store.paths import StoreFolder

FILE = Path(bootstrap.__file__).with_name("sitecustomize.py")
WITHOUT_LLMCOST = f"""
import os, runpy, sys
sys.modules["llmcost"] = None
os.environ["LLMCOST_RUN_ID"] = f"20261126-101500-{{os.getpid() + int(sys.argv[1])}}"
runpy.run_path({str(FILE)!r})
print("the program")
"""


WITHOUT_A_DISTRO = f"""
import runpy, sys
sys.modules["opentelemetry.distro"] = None
runpy.run_path({str(FILE)!r})
import httpx
usage = {{"prompt_tokens": 1000, "completion_tokens": 200}}
answer = {{"model": "gpt-5-mini", "choices": [], "usage": usage}}
with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer))) as client:
    client.post("https://api.openai.com/v1/chat/completions", json={{"model": "gpt-5-mini", "messages": []}})
"""


def test_a_run_is_recorded_without_a_distro(tmp_path: Path) -> None:
    """Field case P3: the distribution of OpenTelemetry was removed, or another one is the one chosen."""
    chosen = {"LLMCOST_STORE": str(tmp_path / ".llmcost"), "OTEL_PYTHON_DISTRO": "nosuch"}
    subprocess.run([sys.executable, "-c", WITHOUT_A_DISTRO], check=True, cwd=tmp_path, env=os.environ | chosen)
    folder = StoreFolder(tmp_path / ".llmcost")
    fold(folder)
    with reading(folder) as connection:
        (call,) = newest(connection, Filter())
    assert (call.request_model, call.cost.status) == ("gpt-5-mini", "priced")


@pytest.mark.parametrize(("process", "told"), [(0, True), (1, False)])
def test_the_program_itself_is_told_that_nothing_is_recorded_and_its_helpers_are_not(process: int, told: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LLMCOST, str(process)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout == "the program\n"
    line = f"llmcost: it is not installed for {sys.executable}; nothing is recorded\n"
    assert done.stderr == (line if told else "")
