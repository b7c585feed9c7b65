"""``llmcost export``."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from llmcost.calls import Call
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.errors import ConfigError, reason
from llmcost.report.csv import cell
from llmcost.report.words import plural
from llmcost.store.listing import COLUMNS, all_calls, flat
from llmcost.store.query import Spend


class Format(StrEnum):
    """The forms of an export."""

    csv = "csv"
    jsonl = "jsonl"


@o.selecting
def export(
    chosen: o.Selection,
    form: Annotated[
        Format, typer.Option("--format", help="csv: one row a call; jsonl: the whole records.")
    ] = Format.csv,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here instead of to the terminal.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many calls; the file then says so.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
    store: o.StoreOption = None,
) -> int:
    """Write calls as CSV or JSON lines. Exit code 1 and the last line say that --limit left calls out."""
    form = Format.jsonl if as_json else form
    place, _ = o.zone_of(chosen.zone)
    with o.opened(store) as connection:
        wanted = o.filter_of(connection, chosen, place)
        total = Spend(connection, wanted, place).total.calls
        left_out = max(0, total - limit) if limit is not None else 0
        note = f"shortened: {plural(left_out, 'call')} of {total:,} left out by --limit" if left_out else None
        with _target(out) as target:
            write = _write_csv if form is Format.csv else _write_jsonl
            write(_with_progress(all_calls(connection, wanted, limit), min(total, limit or total), out), target, place)
            if note:
                target.write(f"# {note}\n" if form is Format.csv else json.dumps({"note": note}) + "\n")
    if note:
        print(f"llmcost: {note}", file=sys.stderr)
    return FINDINGS if note else CLEAN


@contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("w", encoding="utf-8", newline="") as target:
            yield target
    except OSError as exc:
        raise ConfigError(f"--out: {out}: {reason(exc)}") from None


def _with_progress(found: Iterator[Call], total: int, out: Path | None) -> Iterable[Call]:
    """A progress bar on stderr, where that is a terminal and the result is not."""
    if out is None or not sys.stderr.isatty():
        return found
    from rich.progress import track

    return track(found, "Writing calls", total, console=o.console(stderr=True))


def _write_jsonl(found: Iterable[Call], target: TextIO, _: tzinfo) -> None:
    target.writelines(json.dumps(asdict(call)) + "\n" for call in found)


def _write_csv(found: Iterable[Call], target: TextIO, zone: tzinfo) -> None:
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    for call in found:
        writer.writerow([cell(value) if isinstance(value, str) else _number(value) for value in flat(call, zone)])


def _number(value: object) -> object:
    """A number without an exponent, which some spreadsheets read as text."""
    return f"{value:.12f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
