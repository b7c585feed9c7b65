"""What a project imports, and which requests of the table can therefore be met in it.

Most names of requests are everyday words (``append``, ``call``, ``run``). Those of SDKs that a project never names
need no look, which saves most of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from llmcost_analyzer import passing as known
from llmcost_analyzer.facts import FileFacts, Scope, first_part
from llmcost_analyzer.index import Index
from llmcost_analyzer.sinks import Kind, Sinks

_IMPORTERS: Final = tuple(path.rsplit(".", 1) for path in known.RESULTS["imported"])
"""Module and name of the functions that import by a text."""


def roots(index: Index) -> set[str]:
    """First parts of all modules that are imported; of texts that name an SDK too, where modules are imported so."""
    names = _imported_roots(index)
    return names.union(*(facts.named for facts in index.files)) if by_text(index) else names


def _imported_roots(index: Index) -> set[str]:
    return set().union(*(facts.roots for facts in index.files))


def by_text(index: Index) -> bool:
    """Whether a project may import modules by their name in a text."""
    names = _imported_roots(index)
    return any(first_part(module) in names or name in index.calls for module, name in _IMPORTERS)


def named_sdks(facts: FileFacts, sinks: Sinks) -> set[str]:
    """SDKs of the table that the texts of a file name."""
    return {root for scope in facts.scopes for text in _texts(scope) if sinks.known_root(root := first_part(text))}


def imports_sdk(facts: FileFacts, sinks: Sinks) -> bool:
    """Whether a file imports an SDK of the table."""
    return any(map(sinks.known_root, facts.roots))


def _texts(scope: Scope) -> Iterator[str]:
    yield from scope.texts
    yield from (arg[1] for call in scope.calls for arg in call[2] if arg is not None and arg[0] == "text")


def last_names(sinks: Sinks, imported: set[str]) -> frozenset[str]:
    """Last names of the requests that the imported packages have.

    Args:
        sinks: the table.
        imported: first parts of the modules that the project names.
    """
    kinds = _kinds(sinks, imported)
    paths = {path for kind in kinds for path in (*kind.calls, *kind.runs)}
    paths |= {path for path in sinks.function_paths if "*" not in _last(path) and _matches(path, imported)}
    return frozenset(_last(path) for path in paths)


def _last(path: str) -> str:
    return path.rsplit(".", 1)[-1]


def _kinds(sinks: Sinks, imported: set[str]) -> Iterable[Kind]:
    """Kinds of objects that can be made: by an imported package, from another kind, or by none in particular."""
    found = {
        name for name in sinks.kinds if name not in sinks.paths or any(_matches(p, imported) for p in sinks.paths[name])
    }
    todo = list(found)
    while todo:
        for name in set(sinks.kinds[todo.pop()].gives.values()) - found:
            found.add(name)
            todo.append(name)
    return [sinks.kinds[name] for name in found]


def _matches(path: str, imported: set[str]) -> bool:
    """Whether the first part of a path of the table, which may be a pattern, is imported."""
    root = first_part(path)
    if "*" not in root:
        return root in imported
    head = root.split("*")[0]
    return any(name.startswith(head) for name in imported)
