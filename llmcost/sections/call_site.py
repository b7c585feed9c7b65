"""Which function of the program is on the stack: the nearest one of the user's, and the nearest one in the map.

The walk runs inside each LLM call, so a frame of a library costs one set look-up by file name. What is known of a
user's code object is cached by its ``id`` and dropped by a weak reference when the code dies: code objects themselves
hash and compare by content, which is slow and takes two equal functions for one.
"""

from __future__ import annotations

import os
import site
import sysconfig
import weakref
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Final

from llmcost.sections.semantic_map import SemanticMap, is_installed

DEPTH: Final = 400
"""Frames of the user's that are looked at; a deeper stack is not searched to its end."""

_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SCRIPTS: Final = sysconfig.get_path("scripts") + os.sep


def _library_roots() -> tuple[str, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(kind) for kind in kinds]
    folders.append(os.path.dirname(os.path.realpath(os.__file__)))
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return tuple(sorted({folder + os.sep for folder in folders if folder}))


_LIBRARIES: Final = _library_roots()


class Place:
    """What is known of one of the user's code objects: its name, its file as told to others, its label."""

    __slots__ = ("file", "function", "label")

    def __init__(self, function: str, file: str, label: str | None) -> None:
        self.function = function
        self.file = file
        self.label = label


Found = tuple[Place | None, FrameType | None, Place | None]
"""The nearest place of the user's, the frame there, and the nearest place that has a label."""

_SKIPPED: Final = Place("", "", None)
"""Stands for generated code whose file name (``<string>``) says nothing of whose it is."""


class CallSites:
    """Walks stacks with one semantic map.

    Args:
        semantic_map: the map; another map needs another object, as verdicts are kept.
        on_module: told the module name of each file met for the first time.
    """

    def __init__(self, semantic_map: SemanticMap, on_module: Callable[[str], object] | None = None) -> None:
        self._map = semantic_map
        self._on_module = on_module
        self._library: set[str] = set()
        self._places: dict[int, Place] = {}
        self._references: dict[int, weakref.ref[CodeType]] = {}

    def find(self, frame: FrameType | None) -> Found:
        """Walk outwards from a frame."""
        library, places = self._library, self._places
        first: Place | None = None
        at: FrameType | None = None
        for _ in range(DEPTH):
            while frame is not None and frame.f_code.co_filename in library:
                frame = frame.f_back
            if frame is None:
                break
            place = places.get(id(frame.f_code)) or self._meet(frame, frame.f_code)
            if place is not _SKIPPED:
                if first is None:
                    first, at = place, frame
                if place.label is not None:
                    return first, at, place
            frame = frame.f_back
        return first, at, None

    def label_of(self, code: CodeType, module: str | None) -> str | None:
        """The label that the map gives to a code object."""
        file = self._map.file_of(code.co_filename, module)
        section = None if file is None else self._map.section(file, code.co_qualname)
        return None if section is None else section.label

    def _meet(self, frame: FrameType, code: CodeType) -> Place:
        """Judge a code object that was not seen before."""
        name = frame.f_globals.get("__name__")
        module = name if isinstance(name, str) else None
        if module == "__main__":
            module = _main_name(frame, code)
        elif module is not None and self._on_module is not None:
            self._on_module(module)
        file = self._map.file_of(code.co_filename, module)
        if file is None and is_library(code.co_filename, frame.f_globals.get("__name__")):
            if code.co_filename.startswith("<") and not code.co_filename.startswith("<frozen "):
                self._remember(code, _SKIPPED)
            else:
                self._library.add(code.co_filename)
            return _SKIPPED
        section = None if file is None else self._map.section(file, code.co_qualname)
        place = Place(
            code.co_qualname,
            file or public_path(code.co_filename, self._map.root, module),
            None if section is None else section.label,
        )
        self._remember(code, place)
        return place

    def _remember(self, code: CodeType, place: Place) -> None:
        key = id(code)
        places, references = self._places, self._references

        def forget(_: weakref.ref[CodeType]) -> None:
            places.pop(key, None)
            references.pop(key, None)

        references[key] = weakref.ref(code, forget)
        places[key] = place


def _main_name(frame: FrameType, code: CodeType) -> str:
    """The module name under which the entry script would be imported."""
    spec = frame.f_globals.get("__spec__")
    name = getattr(spec, "name", None)
    return name if isinstance(name, str) else os.path.basename(code.co_filename).removesuffix(".py")


def is_library(filename: str, module: object = None) -> bool:
    """Whether code of this file is not the user's: standard library, installed packages, llmcost, generated code."""
    if filename.startswith("<"):
        # `python -c`, the prompt and notebooks run as the main module; dataclasses and the like do not.
        return module != "__main__"
    path = os.path.abspath(filename)
    if path.startswith((_PACKAGE, *_LIBRARIES)) or is_installed(path):
        return True
    return path.startswith(_SCRIPTS) and not path.endswith(".py")


def public_path(filename: str, root: str | None, module: str | None) -> str:
    """A file's path as it may leave the machine: under the map's root, else under the working directory, else the
    path that its module name makes."""
    if filename.startswith("<"):
        return filename
    path = os.path.abspath(filename)
    for base in (root, _working_directory()):
        if base is not None and path.startswith(base.rstrip(os.sep) + os.sep):
            return os.path.relpath(path, base).replace(os.sep, "/")
    return module.replace(".", "/") + ".py" if module else os.path.basename(path)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
