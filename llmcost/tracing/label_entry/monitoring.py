"""Python 3.12 and newer: events of ``sys.monitoring`` for the code of marked functions alone.

Beginning and return are local events: no other code pays for them. Unwinding by an exception can only be asked for
globally; other functions pay one look-up where an exception passes through them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import Any, Final

from llmcost.exchange.guard import guard
from llmcost.tracing.label_entry.marks import Marks
from llmcost.tracing.label_entry.running import Running

_TOOL_IDS: Final = (4, 3)
"""Ids that no tool is recommended to use; 0 to 2 and 5 have their meaning."""
_NAME: Final = "llmcost"

if sys.version_info >= (3, 12):
    from sys import monitoring

    class Monitoring:
        """Enters marked functions by events."""

        def __init__(self, running: Running, marks: Marks) -> None:
            self._running = running
            self._marks = marks
            self._marked: dict[int, tuple[CodeType, str | None]] = {}
            self._tool: int | None = None
            self._local = 0

        def install(self) -> bool:
            """Take a tool id; False where none is free."""
            self._tool = next((number for number in _TOOL_IDS if monitoring.get_tool(number) is None), None)
            if self._tool is None:
                return False
            events = monitoring.events
            monitoring.use_tool_id(self._tool, _NAME)
            self._local = events.PY_START | events.PY_RETURN
            monitoring.register_callback(self._tool, events.PY_START, self._on_start)
            monitoring.register_callback(self._tool, events.PY_RETURN, self._on_return)
            monitoring.register_callback(self._tool, events.PY_UNWIND, self._on_unwind)
            return True

        def uninstall(self, _: Iterable[Any]) -> None:
            """Take all events and the tool id back."""
            if self._tool is None:
                return
            for code, _label in self._marked.values():
                monitoring.set_local_events(self._tool, code, 0)
            monitoring.set_events(self._tool, 0)
            for event in (monitoring.events.PY_START, monitoring.events.PY_RETURN, monitoring.events.PY_UNWIND):
                monitoring.register_callback(self._tool, event, None)
            monitoring.free_tool_id(self._tool)
            self._tool = None
            self._marked.clear()

        def imported(self, _: Any, code: CodeType, module: str) -> CodeType:
            """Mark the code of a module that is about to run; it stays the same code."""
            self.mark(code, module)
            return code

        def existing(self, functions: Iterable[Any]) -> None:
            """Mark functions of modules that were imported before."""
            for function in functions:
                self.mark(function.__code__, function.__module__)

        def await_main(self) -> None:
            """The main module has not begun: see every function begin until it does."""
            if self._tool is not None:
                monitoring.set_events(self._tool, monitoring.events.PY_START | self._unwind())

        def mark(self, code: CodeType, module: str | None) -> None:
            """Ask for the events of a code object and of those inside it, where they are marked."""
            if self._tool is None:
                return
            found = self._marks.label_of(code, module)
            if found is not None and id(code) not in self._marked:
                self._marked[id(code)] = (code, found[0])
                monitoring.set_local_events(self._tool, code, self._local)
                monitoring.set_events(self._tool, monitoring.get_events(self._tool) | self._unwind())
            for inner in code.co_consts:
                if isinstance(inner, CodeType):
                    self.mark(inner, module)

        def _unwind(self) -> int:
            return monitoring.events.PY_UNWIND if self._marked else 0

        def _on_start(self, code: CodeType, _: int) -> Any:
            marked = self._marked.get(id(code))
            if marked is None:
                return self._not_marked(code, sys._getframe(1))
            self._running.begin(sys._getframe(1), marked[1])
            return None

        def _not_marked(self, code: CodeType, frame: FrameType) -> Any:
            if code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
                with guard("label_entry.main"):
                    self.mark(code, "__main__")
                    if self._tool is not None:
                        monitoring.set_events(self._tool, self._unwind())
            return monitoring.DISABLE

        def _on_return(self, _: CodeType, __: int, ___: object) -> None:
            self._running.end(sys._getframe(1))

        def _on_unwind(self, code: CodeType, _: int, __: object) -> None:
            if id(code) in self._marked:
                self._running.end(sys._getframe(1))
