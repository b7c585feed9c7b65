"""``llmcost prune``."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import datetime
from typing import Annotated

import typer

from llmcost.cli import options as o
from llmcost.errors import ConfigError, StoreError, reason
from llmcost.report.words import plural
from llmcost.store.database import writing
from llmcost.store.filters import moment
from llmcost.store.fold import fold
from llmcost.store.prune import Pruned
from llmcost.store.prune import prune as delete


def prune(
    keep: Annotated[
        str, typer.Option(metavar="TIME", help="Keep the calls of the last 30d, 12w, 48h; delete older ones.")
    ],
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> None:
    """Delete old calls and shrink the store. It can be broken off and repeated at any time."""
    if not re.fullmatch(r"\d+[mhdw]", keep, re.ASCII):
        raise ConfigError(f"--keep: {keep!r} is not like 30d, 12w or 48h")
    zone, _ = o.zone_of("UTC")
    before = moment("--keep", keep, datetime.now(zone))
    folder = o.store_folder(store)
    if not folder.exists:
        raise StoreError(f"no store at {folder.root}")
    try:
        fold(folder)
        with writing(folder) as connection:
            result = _with_progress(connection, before)
    except (OSError, sqlite3.Error) as exc:
        raise StoreError(f"{folder.database}: {reason(exc)}") from None
    if as_json:
        print(json.dumps({"calls": result.calls, "names": result.names, "bytes": result.bytes}))
    else:
        print(f"{plural(result.calls, 'call')} deleted, {result.bytes / 1e6:,.1f} MB given back.")


def _with_progress(connection: sqlite3.Connection, before: int) -> Pruned:
    from rich.progress import Progress

    total = connection.execute("SELECT count(*) FROM calls WHERE quarter < ?", (before,)).fetchone()[0]
    console = o.console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Deleting calls", total=total)
        return delete(connection, before, progress=lambda done: progress.update(task, completed=done))
