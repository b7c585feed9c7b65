"""``llmcost doctor``."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from llmcost import config
from llmcost.cli import CLEAN, FINDINGS, checks
from llmcost.cli import options as o
from llmcost.errors import StoreError
from llmcost.store.fold import fold


def doctor(as_json: o.JsonOption = False, store: o.StoreOption = None) -> int:
    """Look for what keeps costs from being complete and right. Exit code 1 where something is found; notes are none."""
    folder = o.store_folder(store)
    with suppress(OSError, sqlite3.Error, StoreError):  # the check of the store names the reason
        fold(folder)
    around = checks.Surroundings(config.load(), folder, o.map_path(store), os.environ, datetime.now(UTC))
    findings = checks.run(around)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    return CLEAN if all(finding.ok for finding in findings) else FINDINGS


def _show(findings: list[checks.Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        said = Text(finding.message)
        if finding.fix:
            said.append(f"\n-> {finding.fix}", "dim")
        table.add_row(_mark(finding), Text(finding.check), said)
    o.console().print(table)


def _mark(finding: checks.Finding) -> Text:
    if not finding.ok:
        return Text("!!", "bold red")
    return Text("--", "yellow") if finding.fix else Text("ok", "green")
