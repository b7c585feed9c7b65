"""What ``llmcost scan`` and ``llmcost sections`` print."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmcost.cli.finished_scan import Finished
from llmcost.report.unsure import UNSURE
from llmcost.report.words import plain as safe
from llmcost.report.words import plural
from llmcost_analyzer import mapfile
from llmcost_analyzer.entries import WRAPPER_LABEL, Entry

_SHOWN: Final = 8


def show(finished: Finished, console: Console, costs: Mapping[str, str]) -> None:
    """The sections, what is unsure, where it was saved, and what to do next."""
    scan = finished.scan
    console.print(
        Text.assemble(
            (plural(len(finished.entries), "function"), "bold"),
            f" that reach a model, in {plural(scan.files, 'file')} ({scan.lines:,} lines)",
        )
    )
    if finished.entries:
        console.print()
        console.print(_sections(finished.entries, costs))
    _unsure(finished.entries, console)
    _skipped(finished, console)
    console.print()
    console.print(Text(f"Saved to {mapfile.MAP_NAME} and {mapfile.LABELS_NAME} in {finished.folder.name}/", "green"))
    console.print("Next: llmcost run -- python app.py, then llmcost report")


def _sections(entries: list[Entry], costs: Mapping[str, str]) -> Table:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.label].append(entry)
    table = Table(box=None, pad_edge=False)
    table.add_column("section", overflow="ellipsis", no_wrap=True)
    for title in ("functions", "calls", *(["cost so far"] if costs else [])):
        table.add_column(title, justify="right", min_width=len(title))
    table.add_column("for example", style="dim")  # not no_wrap: this column alone gives way where lines are narrow
    for label, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        first = min(group, key=lambda e: (e.hops, -e.confidence, e.key))
        example = Text(safe(f"{first.file}:{first.function}"), overflow="ellipsis", no_wrap=True)
        cells = [safe(label), str(len(group)), str(sum(len(e.call_sites) for e in group))]
        if costs:
            cells.append(costs.get(label, ""))
        table.add_row(*cells, example)
    return table


def _unsure(entries: list[Entry], console: Console) -> None:
    doubtful = sorted((e for e in entries if e.confidence < UNSURE and e.origin != "hand"), key=lambda e: e.confidence)
    if not doubtful:
        return
    console.print()
    console.print(f"{plural(len(doubtful), 'label')} unsure (edit the map, or try --ai MODEL):")
    for entry in doubtful[:_SHOWN]:
        console.print(Text(safe(f"  {entry.file}:{entry.function}  {entry.label}  {entry.confidence:.2f}"), "dim"))
    if len(doubtful) > _SHOWN:
        console.print(Text(f"  and {len(doubtful) - _SHOWN} more", "dim"))


def _skipped(finished: Finished, console: Console) -> None:
    skipped = finished.scan.skipped
    if not skipped:
        return
    console.print()
    console.print(f"{plural(len(skipped), 'file')} skipped:")
    for item in skipped[:_SHOWN]:
        console.print(Text(safe(f"  {item.path}: {item.reason}"), "yellow"))
    if len(skipped) > _SHOWN:
        console.print(Text(f"  and {len(skipped) - _SHOWN} more", "yellow"))


def plain(finished: Finished) -> dict[str, Any]:
    """The scan as JSON."""
    return {
        "files": finished.scan.files,
        "lines": finished.scan.lines,
        "skipped": [{"file": item.path, "reason": item.reason} for item in finished.scan.skipped],
        "functions": [
            {"file": entry.file, "function": entry.function, **mapfile.details(entry)} for entry in finished.entries
        ],
        "changes": plain_changes(finished.changes),
    }


def plain_changes(changes: mapfile.Changes) -> dict[str, Any]:
    """How the map is stale, as JSON."""
    return {
        "new": [_named(key) for key in changes.new],
        "gone": [_named(key) for key in changes.gone],
        "moved": [{"from": _named(old), "to": _named(new)} for old, new in changes.moved],
        "relabelled": [{"function": _named(key), "from": a, "to": b} for key, a, b in changes.relabelled],
        "changed": [_named(key) for key in changes.changed],
    }


def _named(key: tuple[str, str]) -> str:
    return f"{key[0]}:{key[1]}"


def show_changes(finished: Finished, console: Console, *, whole: bool, written: bool = False) -> None:
    """What is new, gone, moved and changed; with ``whole``, the map's lines too."""
    changes = finished.changes
    if not changes:
        console.print("The semantic map is up to date.")
        return
    for word, keys in (("new", changes.new), ("gone", changes.gone), ("changed", changes.changed)):
        for key in keys:
            console.print(safe(f"{word:<10} {_named(key)}"))
    for old, new in changes.moved:
        console.print(safe(f"moved      {_named(old)} -> {_named(new)}"))
    for key, before, after in changes.relabelled:
        console.print(safe(f"label      {_named(key)}: {before} -> {after}"))
    if whole:
        _lines(finished, console)
    if not written:
        console.print("The semantic map is stale: run llmcost scan")


def _lines(finished: Finished, console: Console) -> None:
    path = finished.folder / mapfile.MAP_NAME
    before = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else []
    after = mapfile.map_text(finished.entries).splitlines()
    for line in difflib.unified_diff(before, after, mapfile.MAP_NAME, f"{mapfile.MAP_NAME} (new)", lineterm=""):
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        console.print(Text(safe(line), style))


def explain(entry: Entry, console: Console) -> None:
    """Why a function is in the map and has its label."""
    console.print(Text(safe(f"{entry.file}:{entry.function}"), "bold"))
    console.print(safe(f"  label       {entry.label}  ({entry.origin}, confidence {entry.confidence:.2f})"))
    console.print(safe(f"  because     {entry.reason}"))
    console.print(f"  kind        {entry.kind}, lines {entry.lines[0]} to {entry.lines[1]}")
    for site in entry.call_sites:
        model = f", model {site.model}" if site.model else ""
        console.print(safe(f"  calls       line {site.line}: {site.library}, {site.operation}{model}"))
    for callee in entry.callees:
        console.print(safe(f"  through     line {callee.line}: {callee.file}:{callee.function}"))
    if entry.kind == "wrapper":
        console.print("  at run time its nearest mapped caller gives the label")
    if entry.spawns:
        console.print("  starts other work: its label travels into tasks and threads")


def show_sections(previous: mapfile.Previous, console: Console) -> None:
    """The map by section."""
    if not previous.labels:
        console.print("The map is empty: the last scan found no function that reaches a model.")
    groups: dict[str, list[str]] = defaultdict(list)
    for (file, function), label in sorted(previous.labels.items()):
        groups[label or WRAPPER_LABEL].append(f"{file}:{function}")
    for label, functions in sorted(groups.items()):
        console.print(Text(safe(label), "bold"))
        for name in functions:
            file, _, function = name.rpartition(":")
            console.print(safe(f"  {name}") + ("  (by hand)" if previous.edited((file, function)) else ""))


def plain_sections(previous: mapfile.Previous) -> dict[str, list[str]]:
    """The map by section, as JSON."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key, label in sorted(previous.labels.items()):
        groups[label or WRAPPER_LABEL].append(_named(key))
    return dict(sorted(groups.items()))
