"""Hashes of functions that do not change with formatting, comments, docstrings or the function's own name."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from typing import Any, Final

from llmcost_analyzer.finder import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
_Owner = ast.Module | ast.ClassDef | Function | ast.Lambda


def source_hashes(source: str) -> dict[str, str]:
    """The hash of every function, class body and the module itself, by name as in the map."""
    tree = parse(source)
    out = {"<module>": _digest(_statements(tree.body))}
    for name, node in _definitions(tree, ""):
        out[name] = _hash(node)
    return out


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}{child.name}"
            yield name, child
            yield from _definitions(child, f"{name}.")
        else:
            yield from _definitions(child, prefix)


def _hash(node: Function | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        return _digest(_statements(node.body))
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    head = _dump(node.args) + type(node).__name__
    return _digest(head + "".join(_dump(statement) for statement in body))


def _statements(body: list[ast.stmt]) -> str:
    """The code that runs at this level: definitions count by name alone."""
    parts = []
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            parts.append(f"def {statement.name}")
        else:
            parts.append(_dump(statement))
    return "".join(parts)


_EMPTY_TOO: Final[dict[str, Any]] = {"show_empty": True} if sys.version_info >= (3, 13) else {}
_NEWER: Final = ", type_params=[]"


def _dump(node: ast.AST) -> str:
    """The tree as text, the same on each Python: 3.12 added a field, 3.13 leaves empty ones out unless told not to."""
    return ast.dump(node, **_EMPTY_TOO).replace(_NEWER, "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
