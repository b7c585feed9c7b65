"""What a scan finds: one entry a function, and the scan as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from llmcost_analyzer.project import Skipped

Kind = Literal["direct", "indirect", "wrapper"]
"""Calls a model itself; reaches one through other functions; forwards any prompt and has no task of its own."""
Origin = Literal["rules", "ai", "hand"]

WRAPPER_LABEL: Final = "llm_wrapper"


@dataclass(frozen=True, slots=True)
class CallSite:
    """A request: line, library, operation, and the model where it is a literal."""

    line: int
    library: str
    operation: str
    model: str = ""

    def plain(self) -> dict[str, Any]:
        """As it stands in the labels file."""
        out: dict[str, Any] = {"line": self.line, "library": self.library, "operation": self.operation}
        if self.model:
            out["model"] = self.model
        return out


@dataclass(frozen=True, slots=True)
class Callee:
    """A function of the project through which a model is reached, and the line that calls it."""

    file: str
    function: str
    line: int


@dataclass(slots=True)
class Entry:
    """One function that spends money on a model.

    ``hops`` is the number of the project's functions up to a direct call. ``source_hash`` is of the normalised source
    without the function's own name, ``calls_hash`` of what it reaches a model through. ``removed``: the user took the
    function out of the map.
    """

    file: str
    function: str
    label: str
    kind: Kind
    confidence: float
    reason: str
    origin: Origin = "rules"
    description: str = ""
    lines: tuple[int, int] = (0, 0)
    hops: int = 0
    spawns: bool = False
    call_sites: tuple[CallSite, ...] = ()
    callees: tuple[Callee, ...] = ()
    source_hash: str = ""
    calls_hash: str = ""
    removed: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """File and function."""
        return self.file, self.function


@dataclass(slots=True)
class Scan:
    """A finished scan: what was found, what was left out, and how much was read."""

    entries: list[Entry]
    skipped: list[Skipped] = field(default_factory=list)
    files: int = 0
    lines: int = 0
    read: int = 0
    """Files that were read anew; the others came from the cache."""
