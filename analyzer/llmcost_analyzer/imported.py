"""What a project imports, and which requests of the table can therefore be met in it.

Most names of requests are everyday words (``append``, ``call``, ``run``). Those of SDKs that a project never names
need no look, which saves most of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from llmcost_analyzer import passing as known
from llmcost_analyzer.facts import Scope
from llmcost_analyzer.index import Index
from llmcost_analyzer.sinks import Kind, Sinks

_IMPORTS: Final = ("module", "member")
_IMPORTERS: Final = tuple(path.rsplit(".", 1) for path in known.RESULTS["imported"])
"""Module and name of the functions that import by a text."""


def roots(index: Index) -> set[str]:
    """First parts of all modules that are imported; of all texts too, where modules are imported by their name."""
    names = {_root(module) for facts in index.files for module in facts.stars}
    names |= {_root(module) for _, scope in index.all_scopes() for module in _modules(scope)}
    if any(_root(module) in names or name in index.calls for module, name in _IMPORTERS):
        names |= {_root(text) for _, scope in index.all_scopes() for text in _texts(scope)}
    return names


def _root(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def _modules(scope: Scope) -> Iterator[str]:
    for exprs in scope.binds.values():
        yield from (expr[1] for expr in exprs if expr is not None and expr[0] in _IMPORTS)


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
    root = _root(path)
    if "*" not in root:
        return root in imported
    head = root.split("*")[0]
    return any(name.startswith(head) for name in imported)
