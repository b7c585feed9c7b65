"""What words say about the task of a call: the rows of ``rules.toml``, compiled."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final

from llmcost_analyzer.entries import WRAPPER_LABEL
from llmcost_analyzer.patterns import compiled


@dataclass(frozen=True, slots=True)
class Rule:
    """One label's words, as patterns for names and for prose.

    ``weight`` is how telling they are: 1 is usual. ``not_in`` names places where they say nothing.
    """

    label: str
    weight: float
    names: str = field(repr=False)
    prose: str = field(repr=False)
    yes: tuple[str, ...]
    no: tuple[str, ...]
    not_in: frozenset[str] = frozenset()
    no_prose: tuple[str, ...] = ()

    def in_names(self, words: str) -> str | None:
        """The words of a name that match."""
        found = compiled(self.names).search(words)
        return found.group(0) if found else None

    def in_prose(self, text: str) -> list[str]:
        """What matches in a docstring or prompt."""
        return [found.group(0) for found in compiled(self.prose).finditer(text)]


def _pattern(alternatives: Iterable[str], words: Mapping[str, str], end: str) -> str:
    text = "|".join(alternatives)
    for name, group in words.items():
        text = text.replace(f"{{{name}}}", group)
    return rf"\b(?:{text}){end}"


_TABLE: Final[Mapping[str, Any]] = tomllib.loads(
    resources.files("llmcost_analyzer").joinpath("labelers", "rules.toml").read_text(encoding="utf-8")
)


def _load(table: Mapping[str, Any]) -> tuple[Rule, ...]:
    words = {name: f"({'|'.join(group)})" for name, group in table["words"].items()}
    return tuple(
        Rule(
            row["label"],
            row["weight"],
            _pattern(row["names"], words, r"\b"),
            _pattern(row["prose"], words, ""),
            tuple(row["yes"]),
            tuple(row["no"]),
            frozenset(row.get("not_in", ())),
            tuple(row.get("no_prose", ())),
        )
        for row in table["rule"]
    )


RULES: Final = _load(_TABLE)
PLAIN_WORDS: Final = frozenset(_TABLE["plain_words"])
"""Words of function names that say no more than "call the model"."""
LABELS: Final = (*(rule.label for rule in RULES), WRAPPER_LABEL)
"""The taxonomy's labels."""
