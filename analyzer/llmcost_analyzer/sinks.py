"""The table of SDK calls that spend money: ``sinks.toml`` read into look-ups.

External things are named by their access path: ``openai.OpenAI().chat.completions.create``.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

CONSTRUCTORS: Final = re.compile(r"^(from_\w+|create|build|load|get_\w+|new|__init__|init|using|a?create_\w+)$")
"""Class methods that give an instance of their class."""
_MOST_STEPS: Final = 4
_STEP: Final = re.compile(r"\.|\(\)|\[\]")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of SDK object. See the head of ``sinks.toml`` for the fields."""

    name: str
    library: str
    calls: Mapping[str, str] = field(default_factory=dict)
    same: frozenset[str] = frozenset()
    gives: Mapping[str, str] = field(default_factory=dict)
    transparent: frozenset[str] = frozenset()
    pipes: str = ""
    collects: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    inside: bool = False
    leads: frozenset[str] = frozenset()
    """Beginnings of all paths above."""

    def longer(self, path: str, step: str) -> str:
        """A path with one more step; what leads nowhere (the parts of an answer) is not followed far."""
        return path + step if path in self.leads or len(_STEP.findall(path)) < _MOST_STEPS else path

    def normal(self, path: str) -> str:
        """The path without parts that change nothing."""
        if not self.transparent or not path:
            return path
        return ".".join(part for part in path.split(".") if part not in self.transparent)


class _Names:
    """Patterns of dotted names to values; looked up by exact name first, then by pattern in table order."""

    def __init__(self) -> None:
        self._exact: dict[str, str] = {}
        self._patterns: list[tuple[str, str, str]] = []

    def add(self, pattern: str, value: str) -> None:
        if "*" in pattern:
            head = pattern.split("*", 1)[0]
            self._patterns.append((head, pattern, value))
        else:
            self._exact.setdefault(pattern, value)

    def all(self) -> set[str]:
        """All names and patterns."""
        return {*self._exact, *(pattern for _, pattern, _ in self._patterns)}

    def roots(self) -> set[str]:
        """First parts of all names, where they hold no pattern."""
        names = {name.split(".")[0] for name in self._exact}
        return names | {pattern.split(".")[0] for _, pattern, _ in self._patterns}

    def get(self, name: str) -> str | None:
        """The value of the most specific pattern: exact, else the longest that matches."""
        found = self._exact.get(name)
        if found is not None:
            return found
        best: tuple[int, str] | None = None
        for head, pattern, value in self._patterns:
            if name.startswith(head) and _compile(pattern).fullmatch(name):
                weight = len(pattern.replace("*", ""))
                if best is None or weight > best[0]:
                    best = (weight, value)
        return None if best is None else best[1]


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*\*\.", r"(?:.*\.)?").replace(r"\*\*", ".*").replace(r"\*", r"[^.()]*")
    return re.compile(text)


class Sinks:
    """Look-ups over the table."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        rows = {row["name"]: row for row in table["kind"]}
        self.kinds: dict[str, Kind] = {name: _kind(name, rows) for name in rows}
        self._made, self._types, self._functions = _Names(), _Names(), _Names()
        self._results, self._decorators, self._annotations = _Names(), _Names(), _Names()
        for name, row in rows.items():
            _add_all(self._made, row.get("made_by", ()), name)
            _add_all(self._types, row.get("types", ()), name)
            _add_all(self._annotations, row.get("annotations", ()), name)
        for names, key in (
            (self._functions, "functions"),
            (self._results, "results"),
            (self._decorators, "decorators"),
        ):
            for pattern, value in table[key].items():
                names.add(pattern, value)
        self.modules: Mapping[str, str] = table["modules"]
        self.factories = frozenset(table["by_argument"]["factories"])
        self.by_argument: Mapping[str, str] = table["by_argument"]["kinds"]
        self._roots = self._made.roots() | self._functions.roots() | set(self.modules)
        self._root_heads = tuple(root.split("*")[0] for root in self._roots if "*" in root)
        self.paths = self._paths(rows, table)
        """Paths that lead to a kind, by its name; a kind without is made by no package in particular."""
        self.function_paths = frozenset(self._functions.all())
        self.decorator_names = frozenset(path.rsplit(".", 1)[-1] for path in table["decorators"])
        heads = (path.rsplit(".", 1)[-1] for path in table["functions"])
        self.function_heads = tuple(head.split("*")[0] for head in heads if "*" in head and not head.startswith("*"))
        callables = {name for name, kind in self.kinds.items() if "()" in kind.calls}
        made_by = (path for name in callables for path in rows[name].get("made_by", ()))
        self._callable_roots = tuple({path.split(".")[0].split("*")[0] for path in made_by} - {""})
        self.made = lru_cache(maxsize=65536)(self._made_uncached)
        self.function = lru_cache(maxsize=65536)(self._function_uncached)

    def _paths(self, rows: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, set[str]]:
        paths: dict[str, set[str]] = defaultdict(set)
        for name, row in rows.items():
            for key in ("made_by", "types", "annotations"):
                paths[name].update(row.get(key, ()))
        for key in ("modules", "results"):
            for path, name in table[key].items():
                paths[name].add(path)
        for name in self.by_argument.values():
            paths[name] |= self.factories
        return {name: found for name, found in paths.items() if found}

    def starts_like_function(self, name: str) -> bool:
        """Whether a name may be that of a request whose last part is a pattern."""
        return bool(self.function_heads) and name.startswith(self.function_heads)

    def makes_callables(self, module: str) -> bool:
        """Whether an SDK makes objects whose call is a request."""
        return module.split(".", maxsplit=1)[0].startswith(self._callable_roots)

    def known_root(self, module: str) -> bool:
        """Whether a module's first part belongs to an SDK of the table."""
        root = module.split(".", maxsplit=1)[0]
        return root in self._roots or root.startswith(self._root_heads)

    def _made_uncached(self, path: str) -> str | None:
        """The kind of object that calling ``path`` gives."""
        found = self._results.get(path) or self._made.get(path)
        if found is None and "." in path:
            owner, last = path.rsplit(".", 1)
            if CONSTRUCTORS.match(last):
                found = self._made.get(owner) or self._results.get(owner)
        return found

    def typed(self, path: str) -> str | None:
        """The kind of object that an instance of ``path``, or of a class that derives from it, is."""
        return self._types.get(path) or self.made(path)

    def annotated(self, path: str) -> str | None:
        """The kind of object that a value annotated with ``path`` is."""
        return self._annotations.get(path) or self.typed(path)

    def _function_uncached(self, path: str) -> str | None:
        """The operation of a function that is a request itself."""
        return self._functions.get(path) or None

    def decorator(self, path: str) -> str | None:
        """The operation of a function under this decorator."""
        return self._decorators.get(path)


def _kind(name: str, rows: Mapping[str, Mapping[str, Any]]) -> Kind:
    row = rows[name]
    chain = [row]
    while "extends" in chain[-1]:
        chain.append(rows[chain[-1]["extends"]])
    calls: dict[str, str] = {}
    gives: dict[str, str] = {}
    same: set[str] = set()
    transparent: set[str] = set()
    for part in reversed(chain):
        calls.update(part.get("calls", {}))
        gives.update(part.get("gives", {}))
        same.update(part.get("same", ()))
        transparent.update(part.get("transparent", ()))
    pipes = next((str(part["pipes"]) for part in chain if "pipes" in part), "")
    return Kind(
        name,
        row["library"],
        calls,
        frozenset(same),
        gives,
        frozenset(transparent),
        pipes,
        frozenset(row.get("collects", ())),
        frozenset(row.get("runs", ())),
        bool(row.get("inside")),
        _leads([*calls, *gives, *same, *row.get("collects", ()), *row.get("runs", ())]),
    )


def _leads(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(path[: step.start()] for path in paths for step in _STEP.finditer(path))


def _add_all(names: _Names, patterns: Iterable[str], value: str) -> None:
    for pattern in patterns:
        names.add(pattern, value)


@cache
def load() -> Sinks:
    """The shipped table."""
    text = resources.files("llmcost_analyzer").joinpath("sinks.toml").read_text(encoding="utf-8")
    return Sinks(tomllib.loads(text))
