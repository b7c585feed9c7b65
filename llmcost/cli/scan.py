"""``llmcost scan`` and ``llmcost sections``: the semantic map, made and looked after."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Final

import typer

from llmcost.cli import CLEAN, FINDINGS, scan_output
from llmcost.cli import options as o
from llmcost.cli.finished_scan import Finished
from llmcost.errors import ConfigError
from llmcost_analyzer import mapfile
from llmcost_analyzer.entries import Entry
from llmcost_analyzer.project import Choice
from llmcost_analyzer.scanner import FOLDER, Options, has_function, stamp
from llmcost_analyzer.scanner import scan as run_scan

FolderArgument = Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The project.")]
_DEFAULT: Final = Path()
_INTERVAL: Final = 1.0
"""Seconds between two looks of --watch."""


def scan(
    folder: FolderArgument = _DEFAULT,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the map is stale.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show how the map would change.")] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="FILE:FUNCTION", help="Say why a function has its label.")
    ] = None,
    notebooks: Annotated[bool, typer.Option("--notebooks", help="Read the code of notebooks too.")] = False,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out paths like this. May be repeated.")] = None,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Use .llmcost/cache.")] = True,
    watch: Annotated[
        bool, typer.Option("--watch", help="Scan again whenever a file changes, until interrupted.")
    ] = False,
    annotate: Annotated[bool, typer.Option("--annotate", help="Show labels as decorators in the source.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="With --annotate: write them.")] = False,
    ai: Annotated[str | None, typer.Option(metavar="MODEL", help="Let a model label what is unsure.")] = None,
    ai_url: Annotated[
        str | None, typer.Option(metavar="URL", help="OpenAI-compatible endpoint for --ai; OPENAI_BASE_URL, OpenAI.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --ai: don't ask.")] = False,
    max_usd: Annotated[float | None, typer.Option(min=0, help="With --ai: spend no more than this.")] = None,
    as_json: o.JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> int:
    """Find the functions that spend money on a model, label them, and write the semantic map."""
    root, options = _project(folder), Options(Choice(notebooks, tuple(exclude or ())), cache)
    with _nothing_freed() if not watch else nullcontext():
        finished = _finished(root, options, quiet=quiet or as_json)
    if annotate or apply:
        return _annotate(finished, write=apply, quiet=quiet)
    if ai is not None:
        from llmcost.cli import scan_ai

        scan_ai.label(finished.root, finished.entries, scan_ai.Wish(ai, ai_url, yes, max_usd, quiet or as_json))
    if explain is not None:
        return _explain(finished, explain)
    if check or diff:
        return _compare(finished, as_json=as_json, quiet=quiet, whole=diff)
    mapfile.write(finished.folder, finished.entries)
    if as_json:
        print(json.dumps(scan_output.plain(finished), indent=2))
    elif not quiet:
        scan_output.show(finished, o.console(), _costs(finished.root))
    if watch:
        _watch(root, options, quiet=quiet)
    return CLEAN


@contextmanager
def _nothing_freed() -> Iterator[None]:
    """The process ends soon: the millions of objects of a scan go with it, which is faster than one by one."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def _annotate(finished: Finished, *, write: bool, quiet: bool) -> int:
    from llmcost_analyzer import codemod

    edits = list(codemod.edits(finished.root, finished.entries))
    if write:
        count = codemod.apply(finished.root, edits)
        if not quiet:
            print(f"Labels written to {count} file{'' if count == 1 else 's'}")
        return CLEAN
    for edit in edits:
        sys.stdout.write(edit.diff())
    return CLEAN


def _watch(root: Path, options: Options, *, quiet: bool, sleep: Callable[[float], None] = time.sleep) -> None:
    """Look at the files once a second, and scan when any has changed."""
    seen = stamp(root, options)
    while True:
        sleep(_INTERVAL)
        now = stamp(root, options)
        if now != seen:
            seen = now
            finished = _finished(root, options, quiet=True)
            mapfile.write(finished.folder, finished.entries)
            if not quiet and finished.changes:
                scan_output.show_changes(finished, o.console(), whole=False, written=True)


def _project(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder")
    return folder.resolve()


def finished_scan(root: Path, *, notebooks: bool = False) -> Finished:
    """A scan that writes nothing: how the map would change."""
    return _finished(root, Options(Choice(notebooks, ())), quiet=True)


def _finished(root: Path, options: Options, *, quiet: bool) -> Finished:
    with _progress(quiet=quiet) as tell:
        found = run_scan(root, options, tell)
    previous = mapfile.read_previous(root / FOLDER)
    entries, changes = mapfile.merge(found.entries, previous, lambda key: has_function(root, key))
    return Finished(root, found, entries, changes)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for long work; nothing where nobody looks."""
    console = o.console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _step, _done, _total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {step: bar.add_task(step, total=None) for step in ("reading", "resolving")}

        def tell(step: str, done: int, total: int) -> None:
            bar.update(tasks[step], completed=done, total=total)

        yield tell


def _explain(finished: Finished, name: str) -> int:
    entry = _entry_named(finished.entries, name)
    scan_output.explain(entry, o.console())
    return CLEAN


def _entry_named(entries: Sequence[Entry], name: str) -> Entry:
    file, _, function = name.partition(":")
    wanted = function.replace("<locals>.", "")
    fitting = [e for e in entries if e.function == wanted and (e.file == file or e.file.endswith("/" + file))]
    if not wanted or not fitting:
        raise ConfigError(f"{name}: the scan finds no such function that reaches a model; write FILE:FUNCTION")
    return fitting[0]


def _compare(finished: Finished, *, as_json: bool, quiet: bool, whole: bool) -> int:
    if as_json:
        print(json.dumps(scan_output.plain_changes(finished.changes), indent=2))
    elif not quiet:
        scan_output.show_changes(finished, o.console(), whole=whole)
    return FINDINGS if finished.changes else CLEAN


def _costs(root: Path) -> dict[str, str]:
    """What each label has cost so far, where a store exists."""
    from llmcost.errors import StoreError
    from llmcost.report.build import Question, build
    from llmcost.report.words import money
    from llmcost.store.filters import Filter
    from llmcost.store.query import Spend

    store = root / FOLDER
    if not (store / "calls.db").exists():
        return {}
    zone, zone_name = o.zone_of(None)
    try:
        with o.opened(store) as connection:
            answer = build(Spend(connection, Filter(None, None, {}), zone), Question("label", zone_name))
    except StoreError as exc:
        print(f"llmcost: costs are not shown: {exc}", file=sys.stderr)
        return {}
    return {row.key: money(row.nano) for row in answer.rows}


sections = typer.Typer(no_args_is_help=False)


@sections.callback(invoke_without_command=True)
def list_sections(context: typer.Context, as_json: o.JsonOption = False) -> int | None:
    """The sections of the semantic map, with their functions."""
    if context.invoked_subcommand is not None:
        return None
    root = _map_root(Path.cwd())
    previous = mapfile.read_previous(root / FOLDER)
    if as_json:
        print(json.dumps(scan_output.plain_sections(previous), indent=2))
    else:
        scan_output.show_sections(previous, o.console())
    return CLEAN


@sections.command("set")
def set_label(
    function: Annotated[str, typer.Argument(metavar="FILE:FUNCTION", help="The function, as in the map.")],
    label: Annotated[str, typer.Argument(help="Its label.")],
) -> None:
    """Give a function its label by hand; it survives every later scan."""
    root = _map_root(Path.cwd())
    file, _, name = function.partition(":")
    if not name or not label.strip():
        raise ConfigError(f"{function}: write FILE:FUNCTION LABEL")
    path = _relative(root, file)
    key = (path, name.replace("<locals>.", ""))
    if not has_function(root, key):
        raise ConfigError(f"{function}: no such function in {path}")
    mapfile.set_by_hand(root / FOLDER, key, label.strip())
    print(f"{path}:{key[1]} is '{label.strip()}' from now on")


def _relative(root: Path, file: str) -> str:
    """The path as the map writes it; given from the root or from the working directory."""
    for base in (root, Path.cwd()):
        path = (base / file).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    raise ConfigError(f"{file}: no such file in {root}")


def _map_root(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / FOLDER / mapfile.MAP_NAME).is_file():
            return folder
    raise ConfigError("no semantic map here or above: run `llmcost scan`")
