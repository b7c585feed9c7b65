"""What every Python below ``llmcost run`` loads, in an interpreter that llmcost is not installed for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmcost import bootstrap

FILE = Path(bootstrap.__file__).with_name("sitecustomize.py")
WITHOUT_LLMCOST = f"""
import os, runpy, sys
sys.modules["llmcost"] = None
os.environ["LLMCOST_RUN_ID"] = f"20261126-101500-{{os.getpid() + int(sys.argv[1])}}"
runpy.run_path({str(FILE)!r})
print("the program")
"""


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
