"""Base classes of frameworks that run the methods of the project's subclasses: the rows of ``frameworks.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Final


@dataclass(frozen=True, slots=True)
class Framework:
    """A base class and how it runs what derives from it; the fields are explained in the table."""

    bases: re.Pattern[str]
    entries: tuple[str, ...]
    methods: frozenset[str]
    decorators: frozenset[str]

    def matches(self, path: str) -> bool:
        """Whether a base class of the project is this one."""
        return self.bases.search(path) is not None


def _load() -> tuple[Framework, ...]:
    text = resources.files("llmcost_analyzer").joinpath("frameworks.toml").read_text(encoding="utf-8")
    return tuple(
        Framework(
            re.compile(row["bases"]),
            tuple(row["entries"]),
            frozenset(row.get("methods", ())),
            frozenset(row.get("decorators", ())),
        )
        for row in tomllib.loads(text)["framework"]
    )


FRAMEWORKS: Final = _load()
