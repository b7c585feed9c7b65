"""The command ``llmcost``. Exit code 0: clean; 1: there are findings; 2: it failed, for the reason in one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import Final, TextIO

CLEAN: Final = 0
FINDINGS: Final = 1
FAILED: Final = 2


def main(argv: Sequence[str] | None = None, stdout: TextIO | None = None, stderr: TextIO | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments, without the program's name; those of the process by default.
        stdout: where results go.
        stderr: where errors and progress go.
    """
    from llmcost.cli.root import run

    with ExitStack() as streams:
        if stdout is not None:
            streams.enter_context(redirect_stdout(stdout))
        if stderr is not None:
            streams.enter_context(redirect_stderr(stderr))
        return run(list(sys.argv[1:] if argv is None else argv))
