"""A scan from the folder to the entries: files, facts, call graph, labels."""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from llmcost_analyzer import sinks
from llmcost_analyzer.again import Since, answers_since, changes_since, keep_answers, moved_result
from llmcost_analyzer.cache import Cache, fingerprint, stamps_of
from llmcost_analyzer.callgraph import CallGraph, Node
from llmcost_analyzer.deep import deep_recursion
from llmcost_analyzer.entries import WRAPPER_LABEL, Callee, CallSite, Entry, Kind, Scan
from llmcost_analyzer.evaluate import FRAMES
from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.hashes import source_hashes
from llmcost_analyzer.index import Index
from llmcost_analyzer.labelers.assign import assign
from llmcost_analyzer.labelers.choose import Choice as Label
from llmcost_analyzer.project import Choice, Skipped, Source, find_sources, read_text
from llmcost_analyzer.reader import facts_of, read_one
from llmcost_analyzer.values import Ref
from llmcost_analyzer.workers import read_all

FOLDER: Final = ".llmcost"
_INLINE: Final = 300
"""Up to this many new files are read in this process; starting others takes longer."""
_MOST_PROCESSES: Final = 8

Progress = Callable[[str, int, int], None]
"""Told the step, how far it is, and of how many."""


def _silent(step: str, done: int, total: int) -> None:
    del step, done, total


@dataclass(frozen=True, slots=True)
class Options:
    """How to scan: which files, whether to use the cache, how many processes."""

    choice: Choice = field(default_factory=Choice)
    cache: bool = True
    processes: int = 0


def scan(root: Path, options: Options = Options(), progress: Progress = _silent) -> Scan:
    """Find every function under ``root`` that spends money on a model.

    No file makes a scan fail: those that can't be read are listed in the result.
    """
    sources = list(find_sources(root, options.choice))
    cache = Cache(root / FOLDER / "cache" if options.cache else None)
    collecting = gc.isenabled()
    gc.disable()  # facts are millions of small tuples without cycles; looking for cycles takes half the time
    try:
        print_now = fingerprint(stamps_of(sources))
        kept = cache.kept("scan")
        if kept is not None and kept[0] == print_now and isinstance(kept[1], Scan):
            kept[1].read = 0
            return kept[1]
        since = changes_since(sources, cache, kept)
        result = _moved(kept[1], since, sources, cache) if kept is not None and since is not None else None
        if result is None:
            files = _read(sources, cache, options, progress)
            progress("resolving", 0, 1)
            with deep_recursion(FRAMES):
                result = _resolved(files, since, sources, cache)
            progress("resolving", 1, 1)
        cache.keep("scan", (print_now, result))
        return result
    finally:
        cache.close()
        if collecting:
            gc.enable()


def _moved(last: Scan, since: Since, sources: Sequence[Source], cache: Cache) -> Scan | None:
    """The last result, where none of the changes can matter to more than lines."""
    result = moved_result(last, since, cache)
    if result is not None:
        there = {source.path: source for source in sources}
        _add_hashes(result.entries, there, cache)
        rows = [(there[item.path], pickle.dumps(item.new, protocol=5)) for item in since.changes]
        cache.store(rows, [source.path for source in sources])
    return result


@dataclass(frozen=True, slots=True)
class _Files:
    """What was read: facts, files that were skipped, and how many were read anew."""

    facts: list[FileFacts]
    skipped: list[Skipped]
    fresh: int


def _read(sources: Sequence[Source], cache: Cache, options: Options, progress: Progress) -> _Files:
    known = cache.known(sources)
    fresh = [source for source in sources if source.path not in known]
    made: dict[str, bytes] = {}
    for done, (source, data) in enumerate(_read_all(fresh, options), start=1):
        made[source.path] = data
        progress("reading", done, len(fresh))
    cache.store([(source, made[source.path]) for source in fresh], [source.path for source in sources])
    out = _Files([], [], len(fresh))
    for source in sources:
        item = pickle.loads(made.get(source.path) or known[source.path])  # noqa: S301 - our own
        if isinstance(item, FileFacts):
            out.facts.append(item)
        else:
            out.skipped.append(item)
    return out


def _read_all(sources: Sequence[Source], options: Options) -> Iterator[tuple[Source, bytes]]:
    processes = options.processes or min(os.cpu_count() or 1, _MOST_PROCESSES)
    if len(sources) <= _INLINE or processes < 2:
        return ((source, read_one(source)) for source in sources)
    return read_all(sources, processes)


# --- entries ----------------------------------------------------------------------------------------------------


def _resolved(files: _Files, since: Since | None, sources: Sequence[Source], cache: Cache) -> Scan:
    """The call graph over all facts, with the answers of the last scan that still hold."""
    before, changed = answers_since(since, files.facts, cache)
    graph = CallGraph(Index(files.facts), sinks.load(), before)
    graph.evaluator.answers.change(changed)
    nodes = graph.build()
    chosen = cache.kept("labels") or {}
    labels, used = assign(graph, nodes, chosen)
    if used.keys() != chosen.keys():
        cache.keep("labels", used)
    keep_answers(graph, before, cache)
    entries = [_entry(graph, node, labels) for _, node in sorted(nodes.items())]
    _add_hashes(entries, {source.path: source for source in sources}, cache)
    entries = sorted(_one_each(entries), key=lambda e: e.key)
    return Scan(entries, files.skipped, len(files.facts), sum(item.lines for item in files.facts), files.fresh)


def _entry(graph: CallGraph, node: Node, labels: Mapping[Ref, Label]) -> Entry:
    scope = graph.index.scope(node.ref)
    label = labels[node.ref]
    sites = sorted(
        {CallSite(s.line, s.library, s.operation, s.model) for s in node.sites}, key=lambda s: (s.line, s.operation)
    )
    callees = [
        Callee(graph.index.files[ref[0]].path, graph.index.scope(ref).qualname, line)
        for ref, line in sorted(node.callees.items())
    ]
    sends = any(not site.inside for site in node.sites)
    kind: Kind = "wrapper" if label.label == WRAPPER_LABEL else "direct" if sends else "indirect"
    return Entry(
        graph.index.files[node.ref[0]].path,
        scope.qualname,
        label.label,
        kind,
        label.confidence,
        label.reason,
        description=_first_sentence(scope.docstring),
        lines=(scope.first, scope.end),
        hops=node.hops,
        spawns=node.spawns,
        call_sites=tuple(sites),
        callees=tuple(callees),
    )


def _first_sentence(docstring: str) -> str:
    text = " ".join(docstring.strip().split("\n\n")[0].split())
    return text[:200]


def _one_each(entries: Iterable[Entry]) -> list[Entry]:
    """Functions of one name in one file (overloads, branches of an ``if``) are one entry."""
    out: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        before = out.get(entry.key)
        if before is None:
            out[entry.key] = entry
            continue
        best, other = (before, entry) if bool(before.call_sites) >= bool(entry.call_sites) else (entry, before)
        best.call_sites = tuple(sorted({*best.call_sites, *other.call_sites}, key=lambda s: (s.line, s.operation)))
        best.spawns = best.spawns or other.spawns
        out[entry.key] = best
    return list(out.values())


def _add_hashes(entries: Sequence[Entry], sources: Mapping[str, Source], cache: Cache) -> None:
    kept: dict[str, tuple[int, int, dict[str, str]]] = cache.kept("hashes") or {}
    fresh: dict[str, tuple[int, int, dict[str, str]]] = {}
    for path in {entry.file for entry in entries}:
        source = sources[path]
        before = kept.get(path)
        if before is not None and before[:2] == (source.size, source.mtime_ns):
            fresh[path] = before
        else:
            text = read_text(source)
            fresh[path] = (source.size, source.mtime_ns, {} if isinstance(text, Skipped) else source_hashes(text))
    if fresh != kept:
        cache.keep("hashes", fresh)
    by_file = {path: hashes for path, (_, _, hashes) in fresh.items()}
    for entry in entries:
        entry.source_hash = by_file[entry.file].get(entry.function, "")
    for entry in entries:
        inner = sorted(by_file.get(c.file, {}).get(c.function, "") for c in entry.callees)
        entry.calls_hash = hashlib.sha256(" ".join(inner).encode()).hexdigest()[:16]


def stamp(root: Path, options: Options = Options()) -> str:
    """Changes whenever a file of the project does."""
    return fingerprint(stamps_of(find_sources(root, options.choice)))


def has_function(root: Path, key: tuple[str, str]) -> bool:
    """Whether a file of the project defines a function (or is one, for ``<module>``)."""
    path = root / key[0]
    if not path.is_file():
        return False
    status = path.stat()
    found = facts_of(Source(key[0], path, status.st_size, status.st_mtime_ns))
    return isinstance(found, FileFacts) and any(scope.qualname == key[1] for scope in found.scopes)
