"""Programs that know nothing of the stack, run with the one variable that users set."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from e2e.programs import RUN, environment, run

TWO_DOLLARS: Final = "ANSWER['usage'] = {'prompt_tokens': 8_000_000, 'completion_tokens': 0}\ncalls(1)\n"
"""One call of the costs of a long night: 8 M tokens of gpt-5-mini at 0.25 USD a million."""


def settings(endpoint: str, service: str, store: Path, **more: str) -> dict[str, str]:
    """The environment of a program that exports to the stack."""
    ours = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": service, "LLMCOST_STORE": str(store)}
    return {**ours, "NO_PROXY": "127.0.0.1,localhost", **more}


def observed(app: Path, env: Mapping[str, str]) -> str:
    """Run it under ``llmcost run``; what it printed."""
    done = run([*RUN, app], app.parent, env=env, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stats(store: Path) -> dict[str, Any]:
    """What the local store says: ``llmcost stats --json``."""
    command = [sys.executable, "-m", "llmcost", "stats", "--json"]
    done = subprocess.run(
        command, env=environment({"LLMCOST_STORE": str(store)}), capture_output=True, text=True, timeout=120, check=True
    )
    return dict(json.loads(done.stdout))
