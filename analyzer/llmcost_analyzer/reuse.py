"""A changed file that can't change the last result: told by what that result rests on.

While the call graph is built, the names that were asked for and the functions that were looked into are noted. A file
whose changes touch none of them gives the same result as a scan from scratch; only its lines move. Where in doubt the
answer is no, and the graph is built anew.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmcost_analyzer import imported
from llmcost_analyzer.entries import Entry, Scan
from llmcost_analyzer.facts import FileFacts, Scope, callee_name
from llmcost_analyzer.index import Index, Input
from llmcost_analyzer.layers import Inputs
from llmcost_analyzer.versions import Row, Version, kind_of


@dataclass(slots=True)
class Rests:
    """What a result rests on.

    Attributes:
        inputs: names that were looked up outside of any answer, each with the table, and scopes that were looked
            into, by place; the names that answers rest on are kept with those.
        values: names of variables, parameters and attributes that may hold something callable.
        called: names of everything that is called.
        heads: beginnings of names of calls that are always looked at.
        by_text: whether modules are imported by a text, so that every text may name one.
        before: files that changed since the answers were worked out, as they were then.
    """

    inputs: set[Input]
    values: set[str]
    called: set[str]
    heads: tuple[str, ...]
    by_text: bool = False
    before: dict[str, FileFacts] = field(default_factory=dict)


def rests_on(index: Index, requests: frozenset[str], heads: tuple[str, ...]) -> Rests:
    """What a finished graph rests on, beside what its answers do.

    Args:
        index: the index that the graph was built from.
        requests: names of calls that are always looked at.
        heads: beginnings of such names.
    """
    inputs = {(table, name) for table in ("call", "passed") for name in (*requests, callee_name(None))}
    inputs.update(index.named(item) for item in index.notes.outside if isinstance(item, tuple))
    values = set(index.attributes).union(*(scope.values for _, scope in index.all_scopes()))
    return Rests(inputs, values, set(index.calls), heads, imported.by_text(index))


@dataclass(frozen=True, slots=True)
class Past:
    """What the last result rests on, and what each layer of its answers does."""

    rests: Rests
    layers: Mapping[int, Inputs]

    def counts(self, items: Iterable[Input]) -> bool:
        """Whether any of these was looked up, or looked into."""
        everywhere = (self.rests.inputs, *self.layers.values())
        return any(item in inputs for item in items for inputs in everywhere)


def moved(scan: Scan, past: Past, before: FileFacts, after: FileFacts) -> list[Entry] | None:
    """The entries of a scan after a change of one file; None where the change may matter.

    Where the answer is given, ``past`` is brought up to date.
    """
    change, rests = _Change(before, after, past), past.rests
    if change.matters(any(e.file == after.path and e.function == "<module>" for e in scan.entries)):
        return None
    entries = [change.placed(entry) if entry.file == after.path else entry for entry in scan.entries]
    whole = [entry for entry in entries if entry is not None]
    if len(whole) != len(entries):
        return None
    for scope in after.scopes:
        rests.called |= {callee_name(call[1]) for call in scope.calls}
        rests.values |= scope.values
    rests.before.setdefault(before.path, before)
    return whole


class _Change:
    """Two versions of one file."""

    def __init__(self, before: FileFacts, after: FileFacts, past: Past) -> None:
        self._before, self._after, self._past, self._rests = before, after, past, past.rests
        self._old, self._new = Version(before), Version(after)
        self._lines: dict[int, int] = {}
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}

    def matters(self, module_counts: bool) -> bool:
        """Whether the result may differ in more than lines."""
        if self._before.stars != self._after.stars or self._names_other_sdks():
            return True
        old, new = self._old.scopes, self._new.scopes
        shared = [key for key in old if key in new]
        if shared != [key for key in new if key in old]:
            return True
        for key in {**old, **new}:
            if key in old and key in new and self._same(key):
                continue
            if self._may_matter(key, old.get(key), new.get(key)) or (kind_of(key) == "module" and module_counts):
                return True
        return not self._in_order()

    def _names_other_sdks(self) -> bool:
        """Whether another SDK may be imported by a text, which changes the names of requests."""
        if not self._rests.by_text:
            return False
        return self._before.named != self._after.named

    def _same(self, key: str) -> bool:
        """Note where the lines of an unchanged scope went."""
        old, new = self._old.scopes[key], self._new.scopes[key]
        if not self._old.same(self._new, key):
            return False
        self._spans[old.first, old.end] = (new.first, new.end)
        pairs = [(old.line, new.line), *((a[4], b[4]) for a, b in zip(old.calls, new.calls, strict=True))]
        return all(self._lines.setdefault(a, b) == b for a, b in pairs)

    def _in_order(self) -> bool:
        """No two lines became one, and none overtook another."""
        targets = [self._lines[line] for line in sorted(self._lines)]
        return all(a < b for a, b in itertools.pairwise(targets))

    def _may_matter(self, key: str, old: Scope | None, new: Scope | None) -> bool:
        if kind_of(key) == "class" or self._past.counts([("scope", f"{self._after.path}|{key}")]):
            return True
        if old is not None and new is not None:
            if self._old.outside(key) != self._new.outside(key):
                return True
        elif not (self._old.is_plain_function(key) and self._new.is_plain_function(key)):
            return True
        return self._rows_matter(self._old.rows(key), self._new.rows(key))

    def _rows_matter(self, old: list[Row], new: list[Row]) -> bool:
        """Whether a row that came or went has a name that counts."""
        rows = [*(Counter(old) - Counter(new)), *(Counter(new) - Counter(old))]
        called = {name for table, name, _ in rows if table == "call"}
        values = {name for table, name, _ in rows if table == "value"}
        return bool(
            any(table == "import" for table, _, _ in rows)
            or self._past.counts((table, name) for table, name, _ in rows)
            or called & (self._rests.values | self._new.values)
            or any(name.startswith(self._rests.heads) for name in called)
            or values & (self._rests.called | self._new.called)
        )

    def placed(self, entry: Entry) -> Entry | None:
        """An entry of the file with its new lines; None where they are not known."""
        try:
            sites = tuple(dataclasses.replace(s, line=self._lines[s.line]) for s in entry.call_sites)
            callees = tuple(dataclasses.replace(c, line=self._lines[c.line]) for c in entry.callees)
            return dataclasses.replace(entry, lines=self._spans[entry.lines], call_sites=sites, callees=callees)
        except KeyError:
            return None
