"""``llmcost import``: old usage logs into the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from llmcost import config
from llmcost.calls import Call, Cost, Usage
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.errors import ConfigError, StoreError, reason
from llmcost.pricing import PriceBook, PriceRequest
from llmcost.report.words import plain, plural
from llmcost.runtime import price_book
from llmcost.store.fold import fold
from llmcost.store.log_forms import listed, pairs_of
from llmcost.store.log_rows import BadRow, rows
from llmcost.store.paths import StoreFolder
from llmcost.store.spool import Spool
from llmcost.store.usage_logs import Reader

_SHOWN: Final = 20


@dataclass(slots=True)
class Imported:
    """What became of the rows: new calls, calls that the store had, rows that are none, with their lines, and columns
    that fill no field."""

    calls: int = 0
    repeated: int = 0
    bad: list[tuple[str, int, str]] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def import_logs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Logs: CSV, JSON lines or a JSON list.")],
    pairs: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="What a column holds, where its name does not say it."),
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="The section of calls whose row names none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check, and write nothing.")] = False,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """Bring old usage logs into the store: llmcost export, LiteLLM spend logs, OpenAI usage, or any CSV.

    Columns with obvious names, such as timestamp, model, input_tokens, cost, are found; --map names the others. A call
    is taken in once, however often its log is imported. Exit code 1 where a row is no call; the others are in.
    """
    folder = o.store_folder(store)
    book = price_book(config.load())
    reader = Reader(lambda call: price_of(call, book), pairs_of(pairs or ()), label)
    done = Imported()
    found = (call for file in files for call in _calls(file, reader, done))
    if dry_run:
        done.calls = sum(1 for _ in found)
    else:
        _write(found, folder, done)
    done.unused = list(reader.unused)
    _tell(done, as_json, dry_run)
    return FINDINGS if done.bad else CLEAN


def price_of(call: Call, book: PriceBook) -> Cost:
    """What a call costs whose log does not say it. A row of several requests is priced as so many of average size."""
    if call.request_model is None:
        return call.cost
    number = call.attempts
    usage = call.usage if number == 1 else Usage(
        _part(call.usage.input_tokens, number),
        _part(call.usage.output_tokens, number),
        cache_read_tokens=call.usage.cache_read_tokens // number,
    )  # fmt: skip
    request = PriceRequest(_seller(call, book), None, call.request_model, call.service_tier)
    at = call.started_ns / 1e9
    cost = book.price_call(request, usage, at=at)
    if number == 1 or cost.total is None:
        return cost
    exact = book.price_call(request, call.usage, at=at)
    note = f"{number:,} requests in one row"
    same_rates = exact.total is not None and abs(exact.total - cost.total * number) <= 0.01 * exact.total
    total = exact.total if same_rates else cost.total * number
    return replace(cost, status="estimated", total=total, prompt=None, completion=None, fees=None, note=note)


def _seller(call: Call, book: PriceBook) -> str | None:
    """Whose price a call has. Logs spell providers as they like: where that names no price, the model alone may."""
    known = call.provider != "unknown" and book.find(PriceRequest(call.provider, None, call.request_model)) is not None
    return call.provider if known else None


def _part(tokens: int | None, number: int) -> int | None:
    return None if tokens is None else round(tokens / number)


def _calls(path: Path, reader: Reader, done: Imported) -> Iterator[Call]:
    try:
        with _opened(path) as source:
            for number, row in rows(source):
                try:
                    call = reader.call(row)
                except BadRow as bad:
                    done.bad.append((str(path), number, str(bad)))
                else:
                    if call is not None:
                        yield call
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text in UTF-8") from None
    except (OSError, ConfigError) as exc:
        raise ConfigError(f"{path}: {reason(exc)}") from None


def _opened(path: Path) -> AbstractContextManager[TextIO]:
    """The file, with a progress bar on stderr where that is a terminal."""
    console = o.console(stderr=True)
    if not console.is_terminal:
        return path.open(encoding="utf-8-sig", newline="")
    from rich import progress

    return progress.open(
        path, "r", encoding="utf-8-sig", newline="", description=f"Reading {path.name}", console=console
    )


def _write(found: Iterator[Call], folder: StoreFolder, done: Imported) -> None:
    try:
        fold(folder)
        spool = Spool(folder)
        for call in found:
            spool.append(call)
        if not spool.flush():
            raise StoreError(f"{folder.root} cannot be written")
        spool.close()
        folded = fold(folder)
    except (OSError, sqlite3.Error) as exc:
        raise StoreError(f"{folder.root}: {reason(exc)}") from None
    done.calls, done.repeated = folded.calls, folded.repeated


def _tell(done: Imported, as_json: bool, dry_run: bool) -> None:
    if as_json:
        bad = [{"file": file, "line": line, "why": why} for file, line, why in done.bad]
        table = {"calls": done.calls, "repeated": done.repeated, "bad": bad, "unused": done.unused}
        print(json.dumps({**table, "written": not dry_run}, indent=2))
        return
    known = f", {done.repeated:,} already there" if done.repeated else ""
    print(f"{plural(done.calls, 'call')} {'would be read' if dry_run else 'imported'}{known}.")
    if done.unused:
        print(f"Not used: {plain(listed(done.unused))}. --map COLUMN=context.KEY keeps a column.")
    for file, line, why in done.bad[:_SHOWN]:
        print(f"{plain(file)}:{line}: {plain(why)}")
    if done.bad:
        more = f", {len(done.bad) - _SHOWN:,} not shown: --json has all" if len(done.bad) > _SHOWN else ""
        print(f"{plural(len(done.bad), 'row')} left out{more}.")
