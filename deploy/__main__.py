"""``python -m deploy up|down``: the stack as processes that stay, for `make stack-up` and `make stack-down`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from deploy.processes import NotBuilt, NotHealthy, Stack, cache

FOLDER: Final = cache() / "run"
STATE: Final = FOLDER / "processes.json"
PATIENCE_S: Final = 20.0

READY: Final = """\
collector   OTLP at 127.0.0.1:4317 (gRPC) and :4318 (HTTP)
Prometheus  http://127.0.0.1:9090/api/v1/query?query=llm_cost_total
Jaeger      http://127.0.0.1:16686/api/traces?service=SERVICE
files       {folder}

Now, in your program's environment:
  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
"""


def up() -> int:
    """Start all and leave them running."""
    if STATE.exists():
        sys.stderr.write(f"is up already, as {STATE} says; `make stack-down` ends it\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    stack = Stack(FOLDER, scrape="5s")
    try:
        stack.start()
    except (NotBuilt, NotHealthy) as error:
        stack.stop_all()
        sys.stderr.write(f"{error}\n")
        return 2
    STATE.write_text(json.dumps({name: each.pid for name, each in stack.processes.items()}), encoding="utf-8")
    sys.stdout.write(READY.format(folder=FOLDER))
    return 0


def down() -> int:
    """End what :func:`up` started, by its process ids."""
    if not STATE.exists():
        return 0
    running = [pid for name, pid in json.loads(STATE.read_text(encoding="utf-8")).items() if _is(pid, name)]
    for pid in reversed(running):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{pid}").exists() for pid in running) and time.monotonic() < end:
        time.sleep(0.05)
    STATE.unlink()
    return 0


def _is(pid: int, name: str) -> bool:
    """Whether the process is still the one that was started: ids are used again."""
    try:
        return name in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("otelcol", "collector")
    except OSError:
        return False


if __name__ == "__main__":
    verbs = {"up": up, "down": down}
    sys.exit(verbs[sys.argv[1]]())
