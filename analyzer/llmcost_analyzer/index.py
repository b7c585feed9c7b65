"""The project as a whole: modules by name, definitions and calls by their bare name, classes with their bases."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from llmcost_analyzer.facts import Expr, FileFacts, Scope, callee_name, kept_names
from llmcost_analyzer.solve import Notes
from llmcost_analyzer.values import Ref

_PYTHON: Final = (".py", ".ipynb")
_AROUND: Final = 1000
"""Score of folders around the importer."""


_Row = TypeVar("_Row")

Input = tuple[str, str]
"""Something that answers rest on: a table and a name in it, or ``scope`` and the place of a scope."""


class Table(dict[str, _Row]):
    """Rows by name; every name that is asked for is noted, with the name of the table."""

    def __init__(self, table: str, rows: dict[str, _Row], notes: Notes) -> None:
        super().__init__(rows)
        self._table, self._notes = table, notes

    def get(self, name: str, default: Any = None) -> Any:
        """The rows of a name."""
        self._notes.current.add((self._table, name))
        return super().get(name, default)


class Index:
    """Look-ups over the facts of all files.

    Attributes:
        notes: the names that are looked up, each with what it is looked up as, and the scopes that are looked into.
    """

    def __init__(self, files: Sequence[FileFacts]) -> None:
        self.files = sorted(files, key=lambda facts: facts.path)  # where only some count, they are the same ones
        self.notes = Notes()
        self.defs: dict[str, list[Ref]] = defaultdict(list)
        self.calls: dict[str, list[tuple[Ref, Expr]]] = defaultdict(list)
        self.passed: dict[str, list[tuple[Ref, Expr, int]]] = defaultdict(list)
        self.attributes: dict[str, list[tuple[Ref, Expr, Expr | None]]] = defaultdict(list)
        self.aliases: dict[str, set[str]] = defaultdict(set)
        self.made_as: dict[str, set[str]] = defaultdict(set)
        self._tails: dict[str, list[int]] = defaultdict(list)
        self._packages: set[str] = set()
        self._keys: dict[int, list[str]] = {}
        self._place_of: dict[Ref, str] = {}
        self._places: dict[int, dict[str, int]] = {}
        self._numbers = {facts.path: number for number, facts in enumerate(self.files)}
        self._calls: dict[Ref, dict[int, int]] = {}
        for number, facts in enumerate(self.files):
            self._add_file(number, facts)
        self.defs = Table("def", self.defs, self.notes)
        self.calls = Table("call", self.calls, self.notes)
        self.passed = Table("passed", self.passed, self.notes)
        self.attributes = Table("set", self.attributes, self.notes)
        self.made_as = Table("made", self.made_as, self.notes)

    def scope(self, ref: Ref) -> Scope:
        """The facts of a scope."""
        if ref[1]:
            self.notes.current.add(ref)
        return self.files[ref[0]].scopes[ref[1]]

    def place(self, ref: Ref) -> str:
        """A name for a scope that does not change when lines are added or other functions come."""
        found = self._place_of.get(ref)
        if found is None:
            found = self._place_of[ref] = f"{self.files[ref[0]].path}|{self.keys(ref[0])[ref[1]]}"
        return found

    def at(self, place: str) -> Ref:
        """The scope with a place."""
        path, _, key = place.rpartition("|")
        file = self._numbers[path]
        if file not in self._places:
            self._places[file] = {name: at for at, name in enumerate(self.keys(file))}
        return file, self._places[file][key]

    def number(self, path: str) -> int:
        """The number of a file."""
        return self._numbers[path]

    def place_of_call(self, ref: Ref, call: Expr) -> str:
        """A name for a call: the place of its scope, and which of the calls there."""
        numbers = self._calls.get(ref)
        if numbers is None:
            calls = self.files[ref[0]].scopes[ref[1]].calls
            numbers = self._calls[ref] = {id(item): at for at, item in enumerate(calls)}
        return f"{self.place(ref)}:{numbers[id(call)]}"

    def named(self, item: tuple[Any, Any]) -> Input:
        """Something that was noted, with scopes by their place."""
        if isinstance(item[0], int):
            if isinstance(item[1], str):
                return "bind", bound_name(self.files[item[0]].path, item[1])
            return "scope", self.place(item)
        return item[0], self.place(item[1]) if isinstance(item[1], tuple) else item[1]

    def look_up_bound(self, file: int, name: str) -> None:
        """Note that it counts what a name is at the top level of a file."""
        self.notes.current.add((file, name))

    def look(self, ref: Ref) -> None:
        """Note that all of a scope counts, of a module too."""
        self.notes.current.add(ref)

    def keys(self, file: int) -> list[str]:
        """Names of the scopes of a file, all different."""
        found = self._keys.get(file)
        if found is None:
            found = self._keys[file] = scope_keys(self.files[file])
        return found

    def parent(self, ref: Ref) -> Ref | None:
        """The scope around, None for a module."""
        parent = self.files[ref[0]].scopes[ref[1]].parent
        return None if parent < 0 else (ref[0], parent)

    def all_scopes(self) -> Iterable[tuple[Ref, Scope]]:
        """Every scope of every file."""
        for number, facts in enumerate(self.files):
            for scope in facts.scopes:
                yield (number, scope.index), scope

    def _add_file(self, number: int, facts: FileFacts) -> None:
        parts = module_parts(facts.path)
        for start in range(len(parts)):
            self._tails[".".join(parts[start:])].append(number)
        self._packages |= folders_of(parts)
        for scope in facts.scopes:
            ref = (number, scope.index)
            if scope.kind in ("function", "class"):
                self.defs[scope.name].append(ref)
            for base, name, value in scope.sets:
                self.attributes[name].append((ref, base, value))
                self._add_made(name, value)
            for name, values in scope.binds.items():
                for value in values:
                    self._add_made(name, value)
                    if value is not None and value[0] == "member" and value[2] != name:
                        self.aliases[value[2]].add(name)
            for what, name in kept_names(scope):
                self.made_as[what].add(name)
            for call in scope.calls:
                self.calls[callee_name(call[1])].append((ref, call))
                self._add_passed(ref, call)

    def _add_made(self, name: str, value: Expr | None) -> None:
        """``self.retry = Retry(...)``: an instance may be called by this name."""
        if value is not None and value[0] == "call":
            made = callee_name(value[1])
            if made[:1].isupper():
                self.made_as[made].add(name)

    def _add_passed(self, ref: Ref, call: Expr) -> None:
        for at, arg in enumerate(call[2]):
            if arg is not None and arg[0] in ("name", "attr"):
                self.passed[arg[-1]].append((ref, call, at))
        for _, arg in call[3]:
            if arg is not None and arg[0] in ("name", "attr"):
                self.passed[arg[-1]].append((ref, call, -1))

    def module(self, name: str, importer: int) -> int | None:
        """The file that ``import name`` in file ``importer`` would find, None where it is no file of the project.

        The root that an import starts from is not known. Folders around the importer come first, the nearest before
        others (a script's own folder is on ``sys.path``), then any folder that is no package itself.
        """
        self.notes.current.add(("file", name.rpartition(".")[2]))
        if name.startswith("."):
            return self._exact(name[1:])
        found = self._tails.get(name)
        if not found:
            return None
        home = module_parts(self.files[importer].path)
        best: tuple[int, int] | None = None
        for number in found:
            root = module_parts(self.files[number].path)[: -len(name.split("."))]
            score = self._root_score(root, home)
            if score is not None and score < _AROUND and "." not in name and not self._own_root(number, root):
                continue
            if score is not None and (best is None or score > best[0]):
                best = (score, number)
        return None if best is None else best[1]

    def _own_root(self, number: int, root: list[str]) -> bool:
        """Whether a module of one part may be meant from elsewhere: a package, or a module in a source folder."""
        return self.files[number].path.endswith("__init__.py") or root[-1:] in (["src"], ["lib"], ["python"], [])

    def _root_score(self, root: list[str], home: list[str]) -> int | None:
        """How well a folder fits as the root of an import; None where it does not."""
        if home[: len(root)] == root:
            return _AROUND + len(root)
        if root and self._is_package(root):
            return None
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(root, home, strict=False)))

    def _is_package(self, root: list[str]) -> bool:
        found = self._tails.get(".".join(root), ())
        return any(self.files[n].path.endswith("__init__.py") for n in found)

    def _exact(self, name: str) -> int | None:
        for number in self._tails.get(name, ()):
            if ".".join(module_parts(self.files[number].path)) == name:
                return number
        return None

    def is_folder(self, name: str) -> bool:
        """Whether a dotted name is a folder of the project."""
        return name.lstrip(".").replace(".", "/") in self._packages


def module_parts(path: str) -> list[str]:
    """``a/b/__init__.py`` is ``[a, b]``, ``a/b.py`` too."""
    stem = path
    for suffix in _PYTHON:
        stem = stem.removesuffix(suffix)
    parts = stem.split("/")
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def bound_name(path: str, name: str) -> str:
    """A name at the top level of a file, among the things that answers rest on."""
    return f"{path}|{name}"


def folders_of(parts: Sequence[str]) -> set[str]:
    """The folders around a module, by its parts."""
    return {"/".join(parts[:end]) for end in range(1, len(parts))}


def files_came(paths: set[str], now: set[str]) -> set[Input] | None:
    """What answers may rest on where files came or went; None where packages or folders did, on which much rests.

    Args:
        paths: the files that came or went.
        now: all files that are there.
    """
    parts = {path: module_parts(path) for path in paths | now}
    after = set().union(*(folders_of(parts[path]) for path in now))
    before = set().union(*(folders_of(parts[path]) for path in now ^ paths))
    if before != after or any(path.endswith("__init__.py") for path in paths):
        return None
    return {("file", parts[path][-1]) for path in paths}


def scope_keys(facts: FileFacts) -> list[str]:
    """Name, kind, and which of those with the same name, of each scope."""
    count: Counter[str] = Counter()
    out: list[str] = []
    for scope in facts.scopes:
        name = f"{scope.qualname}:{scope.kind}"
        out.append(f"{name}:{count[name]}")
        count[name] += 1
    return out


def held(index: Index) -> set[str]:
    """Names under which a value can be had from elsewhere: attributes, and variables of modules and classes."""
    tops = (scope for _, scope in index.all_scopes() if scope.kind in ("module", "class"))
    return set(index.attributes).union(*(scope.values for scope in tops))
