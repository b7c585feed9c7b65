"""The table of commands. A command is one row: its name, where it is, its line of help and its panel.

The module is imported when the command is asked for, so that ``llmcost --help`` stays fast. ``where`` is written
``module:name`` and names a function, or a ``typer.Typer`` for a group such as ``llmcost prices show``. A command
returns its exit code, or None for 0, and raises an ``LLMCostError`` where it fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command of the root. ``settings`` is typer's context settings, for commands that hand arguments on."""

    name: str
    where: str
    help: str
    panel: str
    settings: Mapping[str, Any] = field(default_factory=dict)


MAP: Final = "Map the program"
RECORD: Final = "Record"
LOOK: Final = "See what was spent"
KEEP: Final = "Look after the store"
PASSED_ON: Final = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""For a command whose arguments belong to another program."""

COMMANDS: Final = (
    CommandRow("scan", "llmcost.cli.scan:scan", "Find the functions that spend money and label them.", MAP),
    CommandRow("analyze", "llmcost.cli.scan:scan", "The same as scan.", MAP),
    CommandRow("sections", "llmcost.cli.scan:sections", "The semantic map by section; set a label by hand.", MAP),
    CommandRow("run", "llmcost.cli.run:run", "Run a program unchanged and record its calls.", RECORD, PASSED_ON),
    CommandRow("demo", "llmcost.cli.demo:demo", "Run an example program and report its cost.", RECORD),
    CommandRow("report", "llmcost.cli.report:report", "The money by section, model, user, day or any key.", LOOK),
    CommandRow("calls", "llmcost.cli.calls:calls", "List single calls, the newest first.", LOOK),
    CommandRow("stats", "llmcost.cli.stats:stats", "Sums of the last days, of everyone or of one user.", LOOK),
    CommandRow("forecast", "llmcost.cli.forecast:forecast", "What the month will cost, and how sure that is.", LOOK),
    CommandRow("anomalies", "llmcost.cli.anomalies:anomalies", "What was out of the ordinary, and why.", LOOK),
    CommandRow("budget", "llmcost.cli.budget:app", "How budgets stand; limits at run time; try a policy.", LOOK),
    CommandRow("export", "llmcost.cli.export:export", "Write calls as CSV or JSON lines.", KEEP),
    CommandRow("import", "llmcost.cli.import_logs:import_logs", "Bring old usage logs into the store.", KEEP),
    CommandRow("prune", "llmcost.cli.prune:prune", "Delete old calls and shrink the store.", KEEP),
    CommandRow("doctor", "llmcost.cli.doctor:doctor", "Look for what keeps costs from being complete and right.", KEEP),
    CommandRow("prices", "llmcost.cli.prices:app", "The price map: update, pin, show a price, explain a cost.", KEEP),
)
