"""What the look-up of a label costs, on a hit under 5 to 20 frames of an SDK and on a miss at depth 60; and what it
costs to enter and leave a function that starts other work.

    python bench/sections.py [--json]

Each figure is the median of many rounds. A round builds the stack anew for each call, as a program does, once with
the look-up at its end and once with nothing there; the difference is the look-up. ``ratio`` compares it with the stack
that was built, so that figures of two machines can be compared.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from llmcost.sections import Sections, context
from llmcost.tracing.label_entry import LabelEntry

ROUNDS, CALLS = 31, 2_000
_SOURCE = """
def dive(n, end):
    if n:
        return dive(n - 1, end)
    return end()

def summarize(n, end):
    return dive(n, end)
"""


def stack(folder: Path, file: str) -> dict[str, Any]:
    """Functions that run as if they stood in ``file``; ``dive`` is the SDK's, ``summarize`` the program's."""
    names: dict[str, Any] = {"__name__": "sdk.client"}
    code: CodeType = compile(_SOURCE, "/sdk/site-packages/sdk/client.py", "exec")
    exec(code, names)
    program: dict[str, Any] = {"__name__": "app", "dive": names["dive"]}
    exec(compile(_SOURCE.replace("def dive", "def unused"), str(folder / file), "exec"), program)
    return program


def per_call(run: Callable[[int, Callable[[], object]], object], depth: int, end: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        run(depth, end)
    return (time.perf_counter_ns() - start) / CALLS / 1000


def measure(run: Callable[[int, Callable[[], object]], object], depth: int, sections: Sections) -> dict[str, float]:
    frame, attribute = sys._getframe, sections.attribute

    def look_up() -> object:
        return attribute(frame(1))

    def nothing() -> object:
        return frame(1)

    look_up()
    costs, ratios = [], []
    for _ in range(ROUNDS):
        bare = per_call(run, depth, nothing)
        cost = per_call(run, depth, look_up) - bare
        costs.append(cost)
        ratios.append(cost / bare)
    return {"us": round(statistics.median(costs), 3), "ratio": round(statistics.median(ratios), 2)}


def measure_entry(folder: Path) -> dict[str, float]:
    """One marked function that does nothing, called with and without label entry."""
    (folder / "entered.py").write_text("def start():\n    return 1\n")
    (folder / ".llmcost" / "semantic_map.json").write_text('{"entered.py": {"start": "s"}}')
    (folder / ".llmcost" / "semantic_labels.json").write_text('{"entered.py": {"start": {"spawns": true}}}')
    sections = Sections(folder / ".llmcost" / "semantic_map.json")
    sys.path.insert(0, str(folder))
    start = importlib.import_module("entered").start
    entry = LabelEntry(sections.semantic_map, sections.inherit)

    def timed() -> float:
        begin = time.perf_counter_ns()
        for _ in range(CALLS):
            start()
        return (time.perf_counter_ns() - begin) / CALLS / 1000

    bare = statistics.median(timed() for _ in range(ROUNDS))
    entry.install()
    entered = statistics.median(timed() for _ in range(ROUNDS))
    entry.uninstall()
    return {"us": round(entered - bare, 3), "ratio": round((entered - bare) / bare, 2)}


def main(argv: list[str]) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".llmcost").mkdir()
        (folder / ".llmcost" / "semantic_map.json").write_text('{"app.py": {"summarize": "summarization"}}')
        sections = Sections(folder / ".llmcost" / "semantic_map.json")
        hit, miss = stack(folder, "app.py")["summarize"], stack(folder, "other.py")["summarize"]
        assert hit(12, lambda: sections.attribute(sys._getframe(1))).label == "summarization"
        figures = {f"hit_{depth}_frames": measure(hit, depth, sections) for depth in (5, 12, 20)}
        figures["miss_60_frames"] = measure(miss, 60, sections)
        with context(user_id="u"):
            figures["hit_12_frames_in_context"] = measure(hit, 12, sections)
        figures["entry_and_exit"] = measure_entry(folder)
    if "--json" in argv:
        print(json.dumps({"python": sys.version.split()[0], **figures}))
    else:
        for label, figure in figures.items():
            print(f"{label:28} {figure['us']:7.2f} us   {figure['ratio']:5.2f} x the calls beneath")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
