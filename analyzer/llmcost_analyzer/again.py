"""A scan after another: which files changed since, and what of the last scan still holds."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from llmcost_analyzer.answers import Kept
from llmcost_analyzer.cache import Cache, fingerprint
from llmcost_analyzer.callgraph import CallGraph
from llmcost_analyzer.entries import Scan
from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.index import Input
from llmcost_analyzer.project import Skipped, Source
from llmcost_analyzer.reader import facts_of
from llmcost_analyzer.reuse import Rests, moved
from llmcost_analyzer.versions import changed_inputs

_MOST_CHANGED: Final = 50
"""With more changed files than this the graph is built anew without a look at the changes."""
_MOST_LAYERS: Final = 40
"""After so many changes the answers are worked out anew: each change leaves some behind that nobody asks for."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A file whose facts of the last scan are known."""

    source: Source
    old: FileFacts
    new: FileFacts


def changes_since(sources: Sequence[Source], cache: Cache, kept: tuple[str, Scan] | None) -> list[Changed]:
    """The files that changed since the last result; none where they are many, or came or went."""
    changed = cache.changed(sources)
    if kept is None or not changed or len(changed) > _MOST_CHANGED:
        return []
    stored = {source.path: cache.stored(source.path) for source in changed}
    before = [
        replace(s, size=stored[s.path][0], mtime_ns=stored[s.path][1]) if s.path in stored else s for s in sources
    ]
    if fingerprint(before) != kept[0]:
        return []  # the facts are of a scan that did not come to its end
    out = []
    for source in changed:
        old, new = pickle.loads(stored[source.path][2]), facts_of(source)  # noqa: S301 - our own
        if isinstance(old, Skipped) or isinstance(new, Skipped):
            return []
        out.append(Changed(source, old, new))
    return out


def moved_result(last: Scan, changes: Sequence[Changed], cache: Cache) -> Scan | None:
    """The last result with its lines moved, where none of the changes can matter to more than that."""
    rests: Rests | None = cache.kept("rests")
    if rests is None or not changes:
        return None
    result = last
    for item in changes:
        entries = moved(result, rests, item.old, item.new)
        if entries is None:
            return None
        lines = result.lines + item.new.lines - item.old.lines
        result = replace(result, entries=entries, lines=lines, read=len(changes))
    cache.keep("rests", rests)
    return result


def answers_since(
    changes: Sequence[Changed], facts: Sequence[FileFacts], cache: Cache
) -> tuple[Kept | None, set[Input]]:
    """The answers of the last scan, and what has changed of the things that they rest on."""
    rests: Rests | None = cache.kept("rests") if changes else None
    answers: Kept | None = cache.kept("answers") if changes else None
    if rests is None or answers is None or len(answers.layers) > _MOST_LAYERS:
        return None, set()
    now = {item.path: item for item in facts}
    out: set[Input] = set()
    for path, old in {**{item.old.path: item.old for item in changes}, **rests.before}.items():
        found = changed_inputs(old, now[path])
        if found is None:
            return None, set()
        out |= found
    return answers, out


def keep_answers(graph: CallGraph, cache: Cache) -> None:
    """Keep the answers of a finished graph for the next scan."""
    kept = graph.evaluator.answers.kept()
    cache.keep("answers", kept)
    cache.keep("rests", graph.rests(kept))
