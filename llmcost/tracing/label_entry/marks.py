"""Which functions are marked: those that the map says start other work, less all generators."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR, CO_ITERABLE_COROUTINE
from types import CodeType, FunctionType
from typing import Final

from llmcost.sections.semantic_map import SemanticMap

_NEVER: Final = CO_GENERATOR | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE
"""Kinds of code that are left between two steps, when what they set would stay with whoever drives them."""

Label = tuple[str | None]
"""The label of a marked function; None inside for a wrapper, whose caller's label counts."""


class Marks:
    """Looks functions up in the map as it is now."""

    def __init__(self, semantic_map: Callable[[], SemanticMap]) -> None:
        self._semantic_map = semantic_map
        self._read: SemanticMap | None = None
        self._files: dict[str, str] = {}
        self._names: frozenset[str] = frozenset()

    def _refresh(self) -> SemanticMap:
        latest = self._semantic_map()
        if latest is not self._read:
            self._files = latest.spawning_files()
            self._names = frozenset(self._files.values())
            self._read = latest
        return latest

    @property
    def names(self) -> frozenset[str]:
        """The map's files that hold marked functions, by their last names."""
        self._refresh()
        return self._names

    def may_be(self, module: str) -> bool:
        """Whether a module of this name may hold a marked function; cheap, as it is asked at every import."""
        self._refresh()
        return bool(self._names) and (module.rpartition(".")[2] + ".py" in self._names or "__init__.py" in self._names)

    def file_of(self, filename: str, module: str | None) -> str | None:
        """The map's path of a file that holds marked functions, or None."""
        semantic_map = self._refresh()
        if filename.replace("\\", "/").rpartition("/")[2] not in self._names:
            return None
        file = semantic_map.file_of(filename, None if module == "__main__" else module)
        return file if file in self._files else None

    def label(self, file: str, qualname: str) -> Label | None:
        """The label of a marked function, or None where it is not marked."""
        section = self._refresh().spawning(file, qualname)
        return None if section is None else (section.label,)

    def label_of(self, code: CodeType, module: str | None) -> Label | None:
        """The same by its code."""
        if code.co_flags & _NEVER:
            return None
        file = self.file_of(code.co_filename, module)
        return None if file is None else self.label(file, code.co_qualname)


def functions_of(marks: Marks, module: str | None = None) -> Iterator[FunctionType]:
    """Functions that exist already and stand in files with marked functions; of one module or of all.

    They are looked for in the whole heap, as decorators and registries hide them; and only where such a file was
    imported, as that takes tens of milliseconds.
    """
    if not marks.names or not any(_holds(marks, name) for name in ([module] if module else list(sys.modules))):
        return
    files: dict[str, bool] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType and (module is None or thing.__module__ == module):
            name = thing.__code__.co_filename
            if name not in files:
                files[name] = marks.file_of(name, thing.__module__) is not None
            if files[name]:
                yield thing


def _holds(marks: Marks, module: str) -> bool:
    # By its dictionary: asking a lazy module for an attribute would import it, and not all entries are modules.
    file = getattr(sys.modules.get(module), "__dict__", {}).get("__file__")
    return isinstance(file, str) and marks.file_of(file, module) is not None
