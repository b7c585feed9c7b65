"""What a plain start does not load."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
before = set(sys.modules)
from llmcost import LLMCostInstrumentor
LLMCostInstrumentor()
print(*sorted(set(sys.modules) - before))
"""
HEAVY = (
    "opentelemetry.instrumentation",
    "packaging",
    "sqlite3",
    "llmcost.control",
    "llmcost.insight",
    "llmcost.report",
    "llmcost.cli",
    "llmcost_analyzer",
    "llmcost.exporting",
    "opentelemetry.exporter",
    "rich",
    "typer",
    "libcst",
)


def test_an_import_loads_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    loaded = ran.stdout.split()
    assert "llmcost.instrumentor" in loaded
    assert [name for name in loaded if any(name == heavy or name.startswith(heavy + ".") for heavy in HEAVY)] == []
