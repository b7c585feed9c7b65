"""Puts what ``llmcost demo`` reports into ``README.md``: ``make generated``.

``--check`` writes nothing, and exits 1 if the README shows something else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
VOLATILE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d.*$|(?<=^only run = ).*$", re.MULTILINE)
"""What differs from run to run: when, and the run's id."""
BLOCK = re.compile(r"(?<=<!-- output -->\n).*?(?=<!-- /output -->)", re.DOTALL)


def report_of_demo() -> str:
    """What the report prints at the end of the demo, at 80 columns and without colour."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "llmcost", "demo"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.partition("$ llmcost report")[2].partition("\n")[2].strip("\n")


def with_block(readme: str, report: str) -> str:
    """The README with the report in its place."""
    lines = "\n".join(line.rstrip() for line in report.splitlines())
    return BLOCK.sub(lambda _: f"```text\n{lines}\n```\n", readme)


def main(argv: Sequence[str]) -> int:
    """Write the block, or compare it."""
    before = README.read_text(encoding="utf-8")
    after = with_block(before, report_of_demo())
    if VOLATILE.sub("", before) == VOLATILE.sub("", after):
        return 0
    if "--check" in argv:
        print("README.md shows another report, run: make generated")
        return 1
    README.write_text(after, encoding="utf-8")
    print("written: README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
