"""The engines are pure: no numpy, no telemetry, no clock, no randomness."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import llmcost.insight

FOLDER = Path(str(llmcost.insight.__file__)).parent
FORBIDDEN = {"numpy", "opentelemetry", "time", "random", "threading", "os", "uuid"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_imports_nothing_impure(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & FORBIDDEN


def test_numpy_is_not_imported_at_run_time() -> None:
    program = "import sys, llmcost.insight; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
