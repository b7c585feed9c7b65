"""The semantic map: which function of the program belongs to which label.

``.llmcost/semantic_map.json`` is ``{"agents/summarizer.py": {"summarize_article": "summarization"}}``. Paths are
relative to the folder that holds ``.llmcost/``; names are ``__qualname__``s, with ``<locals>`` or without, ``<module>``
for code at module level. ``semantic_labels.json`` beside it says more of the same functions; of that only ``kind`` and
``spawns`` matter at run time. Both come from outside: every key and value in them is data and nothing else.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from llmcost.errors import SemanticMapError
from llmcost.lean import dataclass

FOLDER: Final = ".llmcost"
MAP_NAME: Final = "semantic_map.json"
LABELS_NAME: Final = "semantic_labels.json"
WRAPPER_LABEL: Final = "llm_wrapper"
WRAPPER_KIND: Final = "wrapper"

_SOURCE_ROOTS: Final = frozenset({"", "src", "lib", "python"})
_LIBRARY_PARTS: Final = ("/site-packages/", "/dist-packages/")
_LIMIT: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Section:
    """What the map says of one function.

    Attributes:
        label: its label; None for a wrapper, whose calls belong to the function that called it.
        spawns: whether it starts other work (tasks, threads, executors).
    """

    label: str | None
    spawns: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SemanticMap:
    """A map that was read: sections by file and function name, and where the files are expected."""

    root: str | None = None
    files: Mapping[str, Mapping[str, Section]] = field(default_factory=dict)
    _by_path: Mapping[str, str] = field(default_factory=dict)
    _by_module: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files)

    def file_of(self, filename: str, module: str | None) -> str | None:
        """The map's path of a file that runs, or None.

        Args:
            filename: ``co_filename`` of its code.
            module: its module name, used for code that runs from elsewhere (an installed wheel, a container).
        """
        path = os.path.abspath(filename)
        known = self._by_path.get(path) or self._by_path.get(os.path.realpath(path))
        if known is not None or module is None:
            return known
        if self.root is not None and path.startswith(self.root + os.sep) and not is_installed(path):
            return None
        return self._by_module_name(module, filename)

    def _by_module_name(self, module: str, filename: str) -> str | None:
        wanted = module.replace(".", "/")
        if posixpath.basename(filename.replace(os.sep, "/")) == "__init__.py":
            wanted += "/__init__"
        candidates = [key for key in self._by_module.get(wanted.rsplit("/", 1)[-1], ()) if _fits(key, wanted)]
        exact = [key for key in candidates if key == wanted + ".py"]
        chosen = exact or candidates
        return chosen[0] if len(chosen) == 1 else None

    def section(self, file: str, qualname: str) -> Section | None:
        """What the map says of a function; a nested function that is not listed belongs to the one around it."""
        functions = self.files.get(file)
        if functions is None:
            return None
        name = qualname
        while True:
            found = functions.get(name) or functions.get(fold(name))
            if found is not None:
                return found
            name, nested, _ = name.rpartition(".<locals>.")
            if not nested:
                return None

    def spawning(self, file: str, qualname: str) -> Section | None:
        """The section of a function that starts other work; listed under its own name, not the one around it."""
        functions = self.files.get(file, {})
        found = functions.get(qualname) or functions.get(fold(qualname))
        return found if found is not None and found.spawns else None

    def spawning_files(self) -> dict[str, str]:
        """The files that hold such functions, by path in the map; each with its base name."""
        return {
            file: posixpath.basename(file)
            for file, functions in self.files.items()
            if any(section.spawns for section in functions.values())
        }


def fold(qualname: str) -> str:
    """A ``__qualname__`` without its ``<locals>`` parts."""
    return qualname.replace("<locals>.", "")


def is_installed(path: str) -> bool:
    """Whether a path lies in a folder of installed packages."""
    unified = path.replace(os.sep, "/")
    return any(part in unified for part in _LIBRARY_PARTS)


def _fits(key: str, wanted: str) -> bool:
    """A module of one part must stand at a source root: ``utils`` alone says too little of ``src/app/utils.py``."""
    stem = key.removesuffix(".py")
    if stem != wanted and not stem.endswith("/" + wanted):
        return False
    return "/" in wanted or stem.removesuffix(wanted).rstrip("/").rpartition("/")[2] in _SOURCE_ROOTS


def load(path: Path) -> SemanticMap:
    """Read a map, and the labels file beside it where there is one.

    Raises:
        SemanticMapError: naming the file and, where it helps, the entry at fault.
    """
    details_path = path.with_name(LABELS_NAME)
    details = _read(details_path) if details_path.is_file() else {}
    files = {
        _key(file): {name: _section(path, file, name, value, details) for name, value in functions.items()}
        for file, functions in _read(path).items()
    }
    folder = path.resolve().parent
    root = str(folder.parent if folder.name == FOLDER else folder)
    return build(files, root)


def build(files: Mapping[str, Mapping[str, Section]], root: str | None = None) -> SemanticMap:
    """A map from its sections, with its indexes."""
    by_path = {} if root is None else {os.path.normpath(os.path.join(root, key)): key for key in files}
    by_module: dict[str, tuple[str, ...]] = {}
    for key in files:
        stem = posixpath.basename(key).removesuffix(".py")
        by_module[stem] = (*by_module.get(stem, ()), key)
    return SemanticMap(root, files, by_path, by_module)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        if path.stat().st_size > _LIMIT:
            raise SemanticMapError(f"{path}: larger than {_LIMIT} bytes")
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as exc:
        raise SemanticMapError(f"{path}: {exc}") from None
    if not isinstance(document, dict):
        raise SemanticMapError(f"{path}: expected an object of files")
    for file, functions in document.items():
        if not isinstance(functions, dict):
            raise SemanticMapError(f"{path}: {file!r}: expected an object of functions")
    return document


def _section(path: Path, file: str, name: str, value: Any, details: Mapping[str, Mapping[str, Any]]) -> Section:
    detail = details.get(file, {}).get(name)
    if not isinstance(detail, dict):
        detail = {}
    if isinstance(value, dict):
        detail, value = {**detail, **value}, value.get("label")
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise SemanticMapError(f"{path}: {file!r}: {name!r}: a label is text, not {value!r}")
    # A label that was edited by hand turns a wrapper into a section of its own.
    edited = detail.get("label") not in (None, value)
    wraps = value == WRAPPER_LABEL or (detail.get("kind") == WRAPPER_KIND and not edited)
    return Section(None if wraps or value is None else value.strip(), bool(detail.get("spawns")))


def _key(file: str) -> str:
    return posixpath.normpath(file.replace("\\", "/"))
