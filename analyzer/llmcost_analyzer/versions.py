"""Versions of a file, compared without lines and numbers of scopes: what others may see of a change."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from llmcost_analyzer.facts import Expr, FileFacts, Scope, callee_name, kept_names
from llmcost_analyzer.index import Input, bound_name, scope_keys
from llmcost_analyzer.plain import content, plain, short

Row = tuple[str, str, str]
"""What a scope adds to the tables of the project: table, name, content."""

_FREE: Final = frozenset({"binds", "values", "sets", "puts", "returns", "calls", "reads", "texts", "docstring"})
"""What may change in a function that nobody looked into; the rest is seen by other files."""
_PLACES: Final = frozenset({"index", "parent", "line", "first", "end"})
_IMPORTS: Final = ("module", "member")


def changed_inputs(before: FileFacts, after: FileFacts) -> set[Input] | None:
    """What answers may rest on and is another in a new version of a file; None where that can't be told.

    A version without scopes stands for a file that is not there.
    """
    if before.scopes and after.scopes and before.stars != after.stars:
        return None
    old, new = Version(before), Version(after)
    moved = [key for key in old.scopes if key in new.scopes] != [key for key in new.scopes if key in old.scopes]
    changed = [key for key in {**old.scopes, **new.scopes} if moved or not old.same(new, key)]
    out: set[Input] = {("scope", f"{after.path}|{key}") for key in changed}
    rows = _by_name(old, changed), _by_name(new, changed)
    for table, name in {**rows[0], **rows[1]}:
        if moved or rows[0].get((table, name)) != rows[1].get((table, name)):
            out.add(("sdk", after.path) if table == "import" else (table, name))
    return out


def _by_name(version: Version, keys: list[str]) -> dict[Input, list[str]]:
    out: dict[Input, list[str]] = defaultdict(list)
    for key in keys:
        for table, name, said in version.rows(key):
            out[table, name].append(said)
    return out


class Version:
    """One version of a file, without lines and numbers of scopes."""

    def __init__(self, facts: FileFacts) -> None:
        self._keys = scope_keys(facts)
        self.scopes = dict(zip(self._keys, facts.scopes, strict=True))
        self.values: set[str] = set().union(*(scope.values for scope in facts.scopes))
        self.called = {callee_name(call[1]) for scope in facts.scopes for call in scope.calls}
        self._facts = facts

    def is_plain_function(self, key: str) -> bool:
        """Whether a scope is none, or a function without decorators that is no method: others see its name alone."""
        scope = self.scopes.get(key)
        if scope is None:
            return True
        around = self._facts.scopes[scope.parent].kind
        return scope.kind == "function" and not scope.decorators and around != "class"

    def of(self, key: str) -> dict[str, Any]:
        """All that a scope says."""
        return self._fields(key, _PLACES)

    def same(self, other: Version, key: str) -> bool:
        """Whether a scope is there in both and says the same."""
        return key in self.scopes and key in other.scopes and self.of(key) == other.of(key)

    def outside(self, key: str) -> dict[str, Any]:
        """What others see of a scope without looking into it."""
        return self._fields(key, _PLACES | _FREE)

    def rows(self, key: str) -> list[Row]:
        """What a scope adds to the tables of the project: table, name and content."""
        scope = self.scopes.get(key)
        return [] if scope is None else list(self._rows(scope))

    def _rows(self, scope: Scope) -> Iterator[tuple[str, str, str]]:
        yield "def", scope.name, scope.kind
        yield from (("value", name, "") for name in scope.values | {name for _, name, _ in scope.sets})
        yield from (("read", name, "") for name in scope.reads)
        for call in scope.calls:
            said = content(call, self._keys)
            yield "call", callee_name(call[1]), said
            yield "origin", f"{self._facts.path}|{self._keys[scope.index]}:{short(said)}", ""
            for at, arg in enumerate([*call[2], *(value for _, value in call[3])]):
                if arg is not None and arg[0] in ("name", "attr"):
                    yield "passed", arg[-1], f"{at} {said}"
        for base, name, value in scope.sets:
            yield "set", name, repr(self._plain((base, value)))
            yield from _made(name, value)
        yield from (("made", what, name) for what, name in kept_names(scope))
        for name, values in scope.binds.items():
            for value in values:
                yield from _made(name, value)
                if value is not None and value[0] in _IMPORTS:
                    yield "import", name, repr(value)
            if scope.kind == "module":
                yield "bind", bound_name(self._facts.path, name), repr(self._plain(values))
        if scope.kind == "module":
            for name, put in scope.puts:
                yield "bind", bound_name(self._facts.path, name), repr(self._plain(put))

    def _fields(self, key: str, left_out: frozenset[str]) -> dict[str, Any]:
        scope = self.scopes[key]
        names = (item.name for item in dataclasses.fields(scope) if item.name not in left_out)
        parent = self._keys[scope.parent] if scope.parent >= 0 else None
        return {"parent": parent} | {name: self._plain(getattr(scope, name)) for name in names}

    def _plain(self, value: Any) -> Any:
        return plain(value, self._keys)


def _made(name: str, value: Expr | None) -> Iterator[tuple[str, str, str]]:
    if value is not None and value[0] == "call":
        yield "made", callee_name(value[1]), name


def kind_of(key: str) -> str:
    """The kind of the scope with a key."""
    return key.rsplit(":", 2)[1]
