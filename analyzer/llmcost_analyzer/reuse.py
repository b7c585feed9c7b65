"""A changed file that can't change the last result: told by what that result rests on.

While the call graph is built, the names that were asked for and the functions that were looked into are noted. A file
whose changes touch none of them gives the same result as a scan from scratch; only its lines move. Where in doubt the
answer is no, and the graph is built anew.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from llmcost_analyzer.entries import Entry, Scan
from llmcost_analyzer.facts import Expr, FileFacts, Param, Scope, callee_name
from llmcost_analyzer.index import Index, value_names

Key = tuple[str, str, int]
"""A scope of a file: name, kind, and which of those with the same name."""

Rows = Counter[tuple[str, str, str]]
"""What a scope adds to the tables of the project: table, name, content."""

_OF_SCOPE: Final = frozenset({"lambda", "def", "class", "in"})
"""Tags of expressions that hold the number of a scope."""
_CALL_LENGTH: Final = 5
_FREE: Final = frozenset({"binds", "sets", "puts", "returns", "calls", "reads", "texts", "docstring"})
"""What may change in a function that nobody looked into; the rest is seen by other files."""
_PLACES: Final = frozenset({"index", "parent", "line", "first", "end"})
_IMPORTS: Final = ("module", "member")


@dataclass(slots=True)
class Rests:
    """What a result rests on.

    Attributes:
        asked: names that were looked up, each with the table.
        visited: functions and classes that were looked into, by path.
        values: names of variables, parameters and attributes that may hold something callable.
        called: names of everything that is called.
        heads: beginnings of names of calls that are always looked at.
    """

    asked: set[tuple[str, str]]
    visited: set[tuple[str, Key]]
    values: set[str]
    called: set[str]
    heads: tuple[str, ...]


def rests_on(index: Index, requests: frozenset[str], heads: tuple[str, ...]) -> Rests:
    """What a finished graph rests on.

    Args:
        index: the index that the graph was built from.
        requests: names of calls that are always looked at.
        heads: beginnings of such names.
    """
    visited: set[tuple[str, Key]] = set()
    keys: dict[int, list[Key]] = {}
    for file, scope in index.visited:
        if file not in keys:
            keys[file] = _keys(index.files[file])
        visited.add((index.files[file].path, keys[file][scope]))
    values = set(index.attributes).union(*(value_names(scope) for _, scope in index.all_scopes()))
    asked = index.asked | {(table, name) for table in ("call", "passed") for name in (*requests, callee_name(None))}
    return Rests(asked, visited, values, set(index.calls), heads)


def moved(scan: Scan, rests: Rests, before: FileFacts, after: FileFacts) -> list[Entry] | None:
    """The entries of a scan after a change of one file; None where the change may matter.

    Where the answer is given, ``rests`` is brought up to date.
    """
    change = _Change(before, after, rests)
    if change.matters(any(e.file == after.path and e.function == "<module>" for e in scan.entries)):
        return None
    entries = [change.placed(entry) if entry.file == after.path else entry for entry in scan.entries]
    whole = [entry for entry in entries if entry is not None]
    if len(whole) != len(entries):
        return None
    for scope in after.scopes:
        rests.called |= {callee_name(call[1]) for call in scope.calls}
        rests.values |= value_names(scope)
    return whole


def _keys(facts: FileFacts) -> list[Key]:
    count: Counter[tuple[str, str]] = Counter()
    out: list[Key] = []
    for scope in facts.scopes:
        name = (scope.qualname, scope.kind)
        out.append((*name, count[name]))
        count[name] += 1
    return out


class _Change:
    """Two versions of one file."""

    def __init__(self, before: FileFacts, after: FileFacts, rests: Rests) -> None:
        self._before, self._after, self._rests = before, after, rests
        self._old, self._new = _Plain(before), _Plain(after)
        self._lines: dict[int, int] = {}
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}

    def matters(self, module_counts: bool) -> bool:
        """Whether the result may differ in more than lines."""
        if self._before.stars != self._after.stars:
            return True
        old, new = self._old.scopes, self._new.scopes
        shared = [key for key in old if key in new]
        if shared != [key for key in new if key in old]:
            return True
        for key in {**old, **new}:
            if key in old and key in new and self._same(key):
                continue
            if self._may_matter(key, old.get(key), new.get(key)) or (key[1] == "module" and module_counts):
                return True
        return not self._in_order()

    def _same(self, key: Key) -> bool:
        """Note where the lines of an unchanged scope went."""
        old, new = self._old.scopes[key], self._new.scopes[key]
        if self._old.of(key) != self._new.of(key):
            return False
        self._spans[old.first, old.end] = (new.first, new.end)
        pairs = [(old.line, new.line), *((a[4], b[4]) for a, b in zip(old.calls, new.calls, strict=True))]
        return all(self._lines.setdefault(a, b) == b for a, b in pairs)

    def _in_order(self) -> bool:
        """No two lines became one, and none overtook another."""
        targets = [self._lines[line] for line in sorted(self._lines)]
        return all(a < b for a, b in itertools.pairwise(targets))

    def _may_matter(self, key: Key, old: Scope | None, new: Scope | None) -> bool:
        if key[1] == "class" or (self._after.path, key) in self._rests.visited:
            return True
        if old is not None and new is not None:
            if self._old.outside(key) != self._new.outside(key):
                return True
        elif not (_plain_function(self._before, old) and _plain_function(self._after, new)):
            return True
        return self._rows_matter(self._old.rows(key), self._new.rows(key))

    def _rows_matter(self, old: Rows, new: Rows) -> bool:
        """Whether a row that came or went has a name that counts."""
        rows = [*(old - new), *(new - old)]
        called = {name for table, name, _ in rows if table == "call"}
        values = {name for table, name, _ in rows if table == "value"}
        return bool(
            any(table == "import" for table, _, _ in rows)
            or self._rests.asked.intersection((table, name) for table, name, _ in rows)
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


def _plain_function(facts: FileFacts, scope: Scope | None) -> bool:
    """Whether a scope is none, or a function without decorators that is no method: its name is all that others see."""
    if scope is None:
        return True
    return scope.kind == "function" and not scope.decorators and facts.scopes[scope.parent].kind != "class"


class _Plain:
    """One version of a file, without lines and numbers of scopes."""

    def __init__(self, facts: FileFacts) -> None:
        self._keys = _keys(facts)
        self.scopes = dict(zip(self._keys, facts.scopes, strict=True))
        self.values: set[str] = set().union(*(value_names(scope) for scope in facts.scopes))
        self.called = {callee_name(call[1]) for scope in facts.scopes for call in scope.calls}

    def of(self, key: Key) -> dict[str, Any]:
        """All that a scope says."""
        return self._fields(key, _PLACES)

    def outside(self, key: Key) -> dict[str, Any]:
        """What others see of a scope without looking into it."""
        return self._fields(key, _PLACES | _FREE)

    def rows(self, key: Key) -> Rows:
        """What a scope adds to the tables of the project: table, name and content."""
        scope = self.scopes.get(key)
        return Counter() if scope is None else Counter(self._rows(scope))

    def _rows(self, scope: Scope) -> Iterator[tuple[str, str, str]]:
        yield "def", scope.name, scope.kind
        yield from (("value", name, "") for name in value_names(scope) | {name for _, name, _ in scope.sets})
        yield from (("read", name, "") for name in scope.reads)
        for call in scope.calls:
            content = repr(self._plain(call))
            yield "call", callee_name(call[1]), content
            for at, arg in enumerate([*call[2], *(value for _, value in call[3])]):
                if arg is not None and arg[0] in ("name", "attr"):
                    yield "passed", arg[-1], f"{at} {content}"
        for base, name, value in scope.sets:
            yield "set", name, repr(self._plain((base, value)))
            yield from _made(name, value)
        for name, values in scope.binds.items():
            for value in values:
                yield from _made(name, value)
                if value is not None and value[0] in _IMPORTS:
                    yield "import", name, repr(value)
            if scope.kind == "module":
                yield "bind", name, repr(self._plain(values))
        if scope.kind == "module":
            yield from (("bind", name, repr(self._plain(content))) for name, content in scope.puts)

    def _fields(self, key: Key, left_out: frozenset[str]) -> dict[str, Any]:
        scope = self.scopes[key]
        names = (item.name for item in dataclasses.fields(scope) if item.name not in left_out)
        parent = self._keys[scope.parent] if scope.parent >= 0 else None
        return {"parent": parent} | {name: self._plain(getattr(scope, name)) for name in names}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, tuple):
            if len(value) == _CALL_LENGTH and value[0] == "call":
                value = value[:-1]
            elif len(value) > 1 and value[0] in _OF_SCOPE and isinstance(value[1], int):
                value = (value[0], self._keys[value[1]], *value[2:])
            return tuple(self._plain(part) for part in value)
        if isinstance(value, list):
            return [self._plain(part) for part in value]
        if isinstance(value, dict):
            return {key: self._plain(part) for key, part in value.items()}
        if isinstance(value, Param):
            return self._plain(dataclasses.astuple(value))
        return value


def _made(name: str, value: Expr | None) -> Iterator[tuple[str, str, str]]:
    if value is not None and value[0] == "call":
        yield "made", callee_name(value[1]), name
