"""Writes labels into the source, as ``@llmcost.label("...")``. Formatting stays; a second run changes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor

from llmcost_analyzer.entries import Entry


@dataclass(frozen=True, slots=True)
class Edit:
    """A file before and after."""

    path: str
    before: str
    after: str

    def diff(self) -> str:
        """A unified diff."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.path}",
            f"b/{self.path}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def edits(root: Path, entries: Iterable[Entry]) -> Iterator[Edit]:
    """The files in which labels are missing. Wrappers, lambdas and code at module level get none."""
    wanted: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry.kind != "wrapper" and entry.function != "<module>" and entry.file.endswith(".py"):
            wanted.setdefault(entry.file, {})[entry.function] = entry.label
    for path, labels in sorted(wanted.items()):
        before = _read(root / path)
        after = None if before is None else annotate(before, labels)
        if before is not None and after is not None and after != before:
            yield Edit(path, before, after)


def apply(root: Path, changes: Iterable[Edit]) -> int:
    """Write the files; returns how many."""
    count = 0
    for edit in changes:
        with (root / edit.path).open("w", encoding="utf-8", newline="") as file:
            file.write(edit.after)
        count += 1
    return count


def annotate(source: str, labels: Mapping[str, str]) -> str | None:
    """The source with a decorator on each named function that has none; None where it cannot be parsed."""
    try:
        module = cst.parse_module(source)
    except cst.ParserSyntaxError:
        return None
    adder = _Adder(labels)
    changed = module.visit(adder)
    if not adder.added:
        return source
    context = CodemodContext()
    AddImportsVisitor.add_needed_import(context, "llmcost")
    return AddImportsVisitor(context).transform_module(changed).code


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None


class _Adder(cst.CSTTransformer):
    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._names: list[str] = []
        self.added = 0

    def visit_ClassDef(self, node: cst.ClassDef) -> None:  # noqa: N802 - named by LibCST
        self._names.append(node.name.value)

    def leave_ClassDef(  # noqa: N802 - named by LibCST
        self,
        original_node: cst.ClassDef,  # noqa: ARG002
        updated_node: cst.ClassDef,
    ) -> cst.ClassDef:
        self._names.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:  # noqa: N802 - named by LibCST
        self._names.append(node.name.value)

    def leave_FunctionDef(  # noqa: N802 - named by LibCST
        self,
        original_node: cst.FunctionDef,  # noqa: ARG002
        updated_node: cst.FunctionDef,
    ) -> cst.FunctionDef:
        name = ".".join(self._names)
        self._names.pop()
        label = self._labels.get(name)
        if label is None or any(_is_label(decorator) for decorator in updated_node.decorators):
            return updated_node
        self.added += 1
        text = cst.parse_expression(f'llmcost.label("{label}")')
        return updated_node.with_changes(decorators=[*updated_node.decorators, cst.Decorator(text)])


def _is_label(decorator: cst.Decorator) -> bool:
    call = decorator.decorator
    func = call.func if isinstance(call, cst.Call) else call
    return (
        isinstance(func, cst.Attribute)
        and func.attr.value == "label"
        and (isinstance(func.value, cst.Name) and func.value.value == "llmcost")
    )
