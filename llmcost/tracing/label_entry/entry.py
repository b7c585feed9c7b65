"""Installing label entry: for modules that are there, for those imported later, for the entry script."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from types import CodeType, FrameType, ModuleType
from typing import Any, Protocol

from llmcost.exchange.guard import guard, log
from llmcost.sections.scope import Scope
from llmcost.sections.semantic_map import SemanticMap
from llmcost.tracing.label_entry.marks import Marks, functions_of
from llmcost.tracing.label_entry.running import Running


class Way(Protocol):
    """One way to be told that a marked function begins and ends."""

    def install(self) -> bool:
        """Begin; False where this Python cannot."""

    def uninstall(self, functions: Iterable[Any], /) -> None:
        """End, and leave the functions as they were."""

    def imported(self, loader: Any, code: CodeType, module: str, /) -> CodeType:
        """The code that a module is about to run: the same, or one instead."""

    def existing(self, functions: Iterable[Any]) -> None:
        """Enter functions that exist already."""

    def await_main(self) -> None:
        """The entry script will begin later."""


class LabelEntry(MetaPathFinder):
    """Sets the label of marked functions in the OTel context while they run.

    Args:
        semantic_map: the map as it is now (``Sections.semantic_map``).
        inherit: the record for work started in a frame (``Sections.inherit``).
    """

    def __init__(self, semantic_map: Callable[[], SemanticMap], inherit: Callable[[FrameType], Scope]) -> None:
        self._marks = Marks(semantic_map)
        self._running = Running(inherit)
        self._way = _way(self._running, self._marks)
        self._installed = False
        self._searching = False

    def install(self) -> None:
        """Begin to enter marked functions; nothing happens if that is so already."""
        if self._installed:
            return
        if not self._way.install():
            log.warning("llmcost: no free tool id of sys.monitoring; tasks may lose the label of what started them")
            return
        self._installed = True
        sys.meta_path.insert(0, self)
        with guard("label_entry.install"):
            self._way.existing(functions_of(self._marks))
            main = _main_frame()
            if main is not None:
                self._way.existing([_Main(main.f_code)])
            elif not hasattr(sys.modules.get("__main__"), "__file__"):
                self._way.await_main()

    def uninstall(self) -> None:
        """Enter no longer; functions, modules and the import system are as before."""
        if not self._installed:
            return
        self._installed = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self._way.uninstall(functions_of(self._marks))
        self._running.clear()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that may hold marked functions as the others would, and see its code before it runs."""
        if self._searching or not self._marks.may_be(fullname):
            return None
        self._searching = True
        try:
            spec = _find(self, fullname, path, target)
        finally:
            self._searching = False
        with guard("label_entry.find"):
            self._watch(spec)
        return spec

    def _watch(self, spec: ModuleSpec | None) -> None:
        if spec is None or spec.origin is None or not isinstance(spec.loader, SourceLoader):
            return
        if self._marks.file_of(spec.origin, spec.name) is not None:
            # On this one loader object, so that its type and what else it offers stay as they are.
            loader: Any = spec.loader
            loader.get_code = functools.partial(self._get_code, loader, loader.get_code)

    def _get_code(self, loader: Any, get_code: Callable[[str], CodeType | None], module: str) -> CodeType | None:
        vars(loader).pop("get_code", None)
        code = get_code(module)
        if code is not None and self._installed:
            with guard("label_entry.import"):
                return self._way.imported(loader, code, module)
        return code


class _Main:
    """Stands for the entry script's own code, which is no function."""

    def __init__(self, code: CodeType) -> None:
        self.__code__ = code
        self.__module__ = "__main__"


def _way(running: Running, marks: Marks) -> Way:
    if sys.version_info >= (3, 12):
        from llmcost.tracing.label_entry.monitoring import Monitoring

        return Monitoring(running, marks)
    from llmcost.tracing.label_entry.rewriting import Rewriting

    return Rewriting(running, marks)


def _find(
    but: MetaPathFinder, fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        if finder is not but and find_spec is not None:
            spec: ModuleSpec | None = find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


def _main_frame() -> FrameType | None:
    """The frame of the entry script, where it runs already."""
    names = vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals is names:
            return frame
        frame = frame.f_back
    return None
