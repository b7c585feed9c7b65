"""Programs that know nothing of llmcost, run as subprocesses; each makes calls through a mock transport of httpx."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

COST = (1000 * 0.25 + 200 * 2.0) / 1e6
"""USD of one call of :data:`CALLS`."""

CALLS = """
import httpx
ANSWER = {
    "id": "chatcmpl-1", "model": "gpt-5-mini",
    "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
}
def client():
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=ANSWER)))
def summarize(made):
    return made.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-5-mini", "messages": []})
def calls(n):
    with client() as made:
        for _ in range(n):
            summarize(made)
"""
"""The part that all programs share: ``calls(n)`` makes n calls of known cost."""

RUN = [sys.executable, "-c", "import sys; from llmcost.cli import main; sys.exit(main())", "run", "--", sys.executable]
"""``llmcost run -- python``."""


def write(folder: Path, body: str, name: str = "app.py") -> Path:
    """A program in a folder of its own."""
    path = folder / name
    path.write_text(CALLS + body, encoding="utf-8")
    return path


def run(
    command: Sequence[str | Path], folder: Path, *, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; our own faults are raised there too."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program: ours, without settings of telemetry, and with what is asked for."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "LLMCOST_"))}
    return {**kept, "LLMCOST_STRICT": "1", **(extra or {})}
