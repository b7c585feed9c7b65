"""The two files that a scan writes, and what survives from the last one.

``semantic_map.json`` is for people and for run time: ``{file: {function: label}}``, sorted. ``semantic_labels.json``
beside it says all that is known of each function. A label in the map that differs from the labels file was edited by
hand: it stays until the function is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from llmcost.errors import SemanticMapError, reason
from llmcost_analyzer.entries import WRAPPER_LABEL, Entry

MAP_NAME: Final = "semantic_map.json"
LABELS_NAME: Final = "semantic_labels.json"

Key = tuple[str, str]


@dataclass(slots=True)
class Previous:
    """What the last scan and the user's hands left: labels of the map, and details of the labels file."""

    labels: dict[Key, str | None] = field(default_factory=dict)
    details: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def edited(self, key: Key) -> bool:
        """Whether a person gave this function its label."""
        detail = self.details.get(key)
        if key not in self.labels:
            return detail is not None and bool(self.labels)
        if detail is None or detail.get("origin") == "hand":
            return True
        return detail.get("label") != self.labels[key]


def read_previous(folder: Path) -> Previous:
    """Read both files of a ``.llmcost`` folder; an absent one counts as empty.

    Raises:
        SemanticMapError: a file is broken; the message names it.
    """
    previous = Previous()
    for file, functions in _read(folder / MAP_NAME).items():
        for name, value in functions.items():
            label = value.get("label") if isinstance(value, dict) else value
            if label is not None and not isinstance(label, str):
                raise SemanticMapError(f"{folder / MAP_NAME}: {file!r}: {name!r}: a label is text, not {label!r}")
            previous.labels[file, name.replace("<locals>.", "")] = label
    for file, functions in _read(folder / LABELS_NAME).items():
        for name, value in functions.items():
            if isinstance(value, dict):
                previous.details[file, name] = value
    return previous


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as exc:
        raise SemanticMapError(f"{path}: {reason(exc)}") from None
    if not isinstance(document, dict) or not all(isinstance(value, dict) for value in document.values()):
        raise SemanticMapError(f"{path}: expected an object of files with objects of functions")
    return document


@dataclass(slots=True)
class Changes:
    """How a scan differs from the files on disk."""

    new: list[Key] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)
    moved: list[tuple[Key, Key]] = field(default_factory=list)
    relabelled: list[tuple[Key, str, str]] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.moved or self.relabelled or self.changed)


def merge(
    entries: Iterable[Entry], previous: Previous, exists: Callable[[Key], bool] = lambda _key: False
) -> tuple[list[Entry], Changes]:
    """Bring the last labels over: hand edits stay, moved functions keep theirs, so do a model's answers.

    Args:
        entries: what the scan found, changed in place.
        previous: what stood there.
        exists: whether the project has such a function: a hand-made row of one that the scan does not flag stays.
    """
    found = {entry.key: entry for entry in entries}
    changes = Changes()
    moves = _moves(found, previous)
    for key, entry in found.items():
        source = moves.get(key, key)
        _carry(entry, source, previous)
        _note(entry, source, previous, changes)
    for entry in found.values():
        if _dropped(entry, previous):
            entry.removed, entry.origin, entry.reason = True, "hand", "taken out of the map by hand"
    out = list(found.values())
    for key, label in previous.labels.items():
        if key not in found and key not in moves.values():
            if label is not None and previous.edited(key) and exists(key):
                out.append(_by_hand(key, label))
            else:
                changes.gone.append(key)
    changes.moved = sorted((old, new) for new, old in moves.items())
    return sorted(out, key=lambda e: e.key), changes


def _moves(found: Mapping[Key, Entry], previous: Previous) -> dict[Key, Key]:
    """New functions whose source is that of one that is gone: they moved or were renamed."""
    gone: dict[str, list[Key]] = {}
    for key, detail in previous.details.items():
        if key not in found and detail.get("source_hash"):
            gone.setdefault(str(detail["source_hash"]), []).append(key)
    out: dict[Key, Key] = {}
    for key, entry in found.items():
        candidates = gone.get(entry.source_hash, []) if key not in previous.details and entry.source_hash else []
        if len(candidates) == 1 and candidates[0] not in out.values():
            out[key] = candidates[0]
    return out


def _carry(entry: Entry, source: Key, previous: Previous) -> None:
    detail = previous.details.get(source, {})
    if previous.edited(source) and source in previous.labels:
        label = previous.labels[source]
        entry.label, entry.origin, entry.confidence = label or WRAPPER_LABEL, "hand", 1.0
        entry.reason = "set by hand"
        entry.description = str(detail.get("description") or entry.description)
        entry.kind = _kind(entry)
        return
    same = detail.get("source_hash") == entry.source_hash and detail.get("calls_hash") == entry.calls_hash
    if source != entry.key or (detail.get("origin") == "ai" and same):
        entry.label = str(detail.get("label") or entry.label)
        entry.origin = detail.get("origin", entry.origin)
        entry.confidence = float(detail.get("confidence", entry.confidence))
        entry.reason = str(detail.get("reason") or entry.reason)
        entry.description = str(detail.get("description") or entry.description)
        entry.kind = _kind(entry)


def _kind(entry: Entry) -> Any:
    if entry.label == WRAPPER_LABEL:
        return "wrapper"
    return entry.kind if entry.kind != "wrapper" else "direct" if entry.call_sites else "indirect"


def _note(entry: Entry, source: Key, previous: Previous, changes: Changes) -> None:
    if source not in previous.labels and source not in previous.details:
        changes.new.append(entry.key)
        return
    before = previous.labels.get(source)
    if before is not None and before != entry.label:
        changes.relabelled.append((entry.key, before, entry.label))
    elif previous.details.get(source, {}).get("source_hash") not in (None, entry.source_hash):
        changes.changed.append(entry.key)


def _dropped(entry: Entry, previous: Previous) -> bool:
    """A row that the user took out of the map stays out."""
    return entry.key in previous.details and entry.key not in previous.labels and bool(previous.labels)


def _by_hand(key: Key, label: str) -> Entry:
    return Entry(key[0], key[1], label, "indirect", 1.0, "set by hand; the scan finds no call here", origin="hand")


# --- writing ----------------------------------------------------------------------------------------------------


def map_text(entries: Iterable[Entry]) -> str:
    """The map, sorted, one line a function."""
    kept = [entry for entry in entries if not entry.removed]
    return _dump({file: {e.function: e.label for e in group} for file, group in _by_file(kept)})


def labels_text(entries: Iterable[Entry]) -> str:
    """The labels file, sorted."""
    return _dump({file: {e.function: details(e) for e in group} for file, group in _by_file(entries)})


def details(entry: Entry) -> dict[str, Any]:
    """One function as it stands in the labels file."""
    return {
        "label": None if entry.removed else entry.label,
        "kind": entry.kind,
        "confidence": entry.confidence,
        "origin": entry.origin,
        "reason": entry.reason,
        "description": entry.description,
        "lines": list(entry.lines),
        "call_sites": [site.plain() for site in entry.call_sites],
        "callees": [{"file": c.file, "function": c.function, "line": c.line} for c in entry.callees],
        "hops": entry.hops,
        "spawns": entry.spawns,
        "source_hash": entry.source_hash,
        "calls_hash": entry.calls_hash,
    }


def _by_file(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    groups: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: e.key):
        groups.setdefault(entry.file, []).append(entry)
    return sorted(groups.items())


def _dump(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, entries: list[Entry]) -> None:
    """Write both files, each at once. Unchanged ones are left alone.

    Raises:
        SemanticMapError: the folder cannot be written.
    """
    _write(folder, {LABELS_NAME: labels_text(entries), MAP_NAME: map_text(entries)})


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / name
            if not path.is_file() or path.read_text(encoding="utf-8-sig") != text:
                part = path.with_name(f".{name}.{os.getpid()}")
                part.write_text(text, encoding="utf-8")
                part.replace(path)
    except OSError as exc:
        raise SemanticMapError(f"{folder}: {reason(exc)}") from None


def set_by_hand(folder: Path, key: Key, label: str) -> None:
    """Give one function a label, in both files.

    Raises:
        SemanticMapError: a file cannot be read or written.
    """
    document, known = _read(folder / MAP_NAME), _read(folder / LABELS_NAME)
    document.setdefault(key[0], {})[key[1]] = label
    detail = known.setdefault(key[0], {}).setdefault(key[1], {})
    detail.update(label=label, origin="hand", confidence=1.0, reason="set by hand")
    if detail.get("kind") == "wrapper":
        detail["kind"] = "direct" if detail.get("call_sites") else "indirect"
    _write(folder, {LABELS_NAME: _dump(_sorted(known)), MAP_NAME: _dump(_sorted(document))})


def _sorted(document: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {file: dict(sorted(functions.items())) for file, functions in sorted(document.items())}
