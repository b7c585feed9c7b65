"""A scan after another: which files changed since, and what of the last scan still holds."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from llmcost_analyzer import layers
from llmcost_analyzer.cache import Cache, fingerprint, stamps_of
from llmcost_analyzer.callgraph import CallGraph
from llmcost_analyzer.entries import Scan
from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.index import Input, files_came
from llmcost_analyzer.layers import Kept
from llmcost_analyzer.project import Skipped, Source
from llmcost_analyzer.reader import facts_of
from llmcost_analyzer.reuse import Past, moved
from llmcost_analyzer.versions import changed_inputs

_MOST_CHANGED: Final = 50
"""With more changed files than this the graph is built anew without a look at the changes."""
_MOST_LAYERS: Final = 40
"""After so many changes the answers are worked out anew: each change leaves some behind that nobody asks for."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that is not as it was at the last scan; without scopes where it is not there, or can't be read."""

    path: str
    old: FileFacts
    new: FileFacts

    @property
    def came_or_went(self) -> bool:
        """Whether it was read at one of the two times alone."""
        return bool(self.old.scopes) != bool(self.new.scopes)


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since the last result, and what that rests on."""

    changes: Sequence[Changed]
    past: Past


def changes_since(sources: Sequence[Source], cache: Cache, kept: tuple[str, Scan] | None) -> Since | None:
    """What changed since the last result; None where that is not known, or much."""
    changes = _changes(sources, cache, kept)
    rests, inputs = (cache.kept("rests"), layers.inputs_of(cache)) if changes else (None, None)
    return None if rests is None or inputs is None else Since(changes, Past(rests, inputs))


def _changes(sources: Sequence[Source], cache: Cache, kept: tuple[str, Scan] | None) -> list[Changed]:
    """The files that changed, came or went since the last result; none where they are many."""
    before, now = cache.stamps(), stamps_of(sources)
    if kept is None or fingerprint(before) != kept[0]:
        return []  # the facts may be of a scan that did not come to its end
    changed = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    if len(changed) > _MOST_CHANGED:
        return []
    there = {source.path: source for source in sources}
    return [
        Changed(
            path,
            _read(path, pickle.loads(cache.stored(path)) if path in before else None),  # noqa: S301 - our own
            _read(path, facts_of(there[path]) if path in there else None),
        )
        for path in changed
    ]


def _read(path: str, found: FileFacts | Skipped | None) -> FileFacts:
    return found if isinstance(found, FileFacts) else FileFacts(path, [])


def moved_result(last: Scan, since: Since, cache: Cache) -> Scan | None:
    """The last result with its lines moved, where none of the changes can matter to more than that."""
    if not all(item.old.scopes and item.new.scopes for item in since.changes):
        return None
    result = last
    for item in since.changes:
        entries = moved(result, since.past, item.old, item.new)
        if entries is None:
            return None
        lines = result.lines + item.new.lines - item.old.lines
        result = replace(result, entries=entries, lines=lines, read=len(since.changes))
    cache.keep("rests", since.past.rests)
    return result


def answers_since(since: Since | None, facts: Sequence[FileFacts], cache: Cache) -> tuple[Kept | None, set[Input]]:
    """The answers of the last scan, and what has changed of the things that they rest on."""
    answers = layers.load(cache, since.past.layers) if since is not None else None
    if since is None or answers is None or len(answers.layers) > _MOST_LAYERS:
        return None, set()
    now = {item.path: item for item in facts}
    out: set[Input] = set()
    came = {item.path for item in since.changes if item.came_or_went}
    if came:
        found = files_came(came, set(now))
        if found is None:
            return None, set()
        out |= found
    for path, old in {**{item.path: item.old for item in since.changes}, **since.past.rests.before}.items():
        found = changed_inputs(old, now.get(path) or FileFacts(path, []))
        if found is None:
            return None, set()
        out |= found
    return answers, out


def keep_answers(graph: CallGraph, before: Kept | None, cache: Cache) -> None:
    """Keep the answers of a finished graph, which went on from those before, for the next scan."""
    kept = graph.evaluator.answers.kept()
    layers.keep(cache, kept, before, {"rests": graph.rests()})
