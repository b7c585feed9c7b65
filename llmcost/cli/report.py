"""``llmcost report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from llmcost.cli import options as o
from llmcost.errors import ConfigError, reason
from llmcost.report.build import Question, build
from llmcost.report.model import Report
from llmcost.report.unsure import unsure_labels
from llmcost.store.query import Spend


@o.selecting
def report(
    chosen: o.Selection,
    by: Annotated[
        str,
        typer.Option(
            help="label, model, provider, user, file, function, type, day, run, status, or any key of a context."
        ),
    ] = "label",
    limit: Annotated[int | None, typer.Option(min=0, help="Rows shown; 0 for all. 20 in the terminal.")] = None,
    as_json: o.JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one HTML file with charts.")] = None,
    store: o.StoreOption = None,
) -> None:
    """Where the money went."""
    if as_json + as_csv + (html is not None) > 1:
        raise ConfigError("--json, --csv and --html: choose one")
    if limit is None:
        limit = 0 if as_json or as_csv else 20 if html is None else 200
    answer = _asked(by, chosen, limit, html is not None, store)
    _show(answer, as_json, as_csv, html)


def _asked(by: str, chosen: o.Selection, limit: int, charts: bool, store: Path | None) -> Report:
    zone, zone_name = o.zone_of(chosen.zone)
    with o.opened(store) as connection:
        o.known_key(connection, "--by", by)
        wanted = o.filter_of(connection, chosen, zone)
        path = o.map_path(store)
        question = Question(by, zone_name, limit or None, charts, path is not None, unsure_labels(path) if path else ())
        return build(Spend(connection, wanted, zone), question)


def _show(answer: Report, as_json: bool, as_csv: bool, html: Path | None) -> None:
    if as_json:
        from llmcost.report import json

        print(json.render(answer))
    elif as_csv:
        from llmcost.report import csv

        sys.stdout.write(csv.render(answer))
    elif html is not None:
        from llmcost.report.html import render

        try:
            html.write_text(render(answer), encoding="utf-8")
        except OSError as exc:
            raise ConfigError(f"--html: {html}: {reason(exc)}") from None
        print(f"Written to {html}", file=sys.stderr)
    else:
        from llmcost.report.terminal import render as show

        show(answer, o.console())
