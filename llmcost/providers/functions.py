"""The pure functions that a provider's TOML may name, one each, for what paths cannot say.

Each takes what a response stated; it may change the counts, and returns the parts that another model billed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from llmcost.lean import dataclass
from llmcost.providers.leaves import LeafType

Counts = dict[str, float]
Part = tuple[str, Counts]


def number(value: Any) -> float | None:
    """A count as a provider may write it: a finite number that is not negative, or digits in a text."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return value


@dataclass(frozen=True, slots=True)
class Stated:
    """What a response stated: the counts that the paths found, and the usage as it came."""

    counts: Counts
    usage: Mapping[str, Any]

    def number(self, key: str) -> float | None:
        """A number of the usage object, or None."""
        value = self.usage.get(key)
        if type(value) is int and value >= 0:
            return value
        return number(value)


Function = Callable[[Stated], list[Part]]


def totals(stated: Stated) -> list[Part]:
    """OpenAI's likes: a total above prompt plus completion proves that something was counted on top.

    Reasoning and thinking that nobody itemised belong to the output, audio to the input.
    """
    counts, total = stated.counts, stated.number("total_tokens")
    prompt, completion = counts.get("input_tokens"), counts.get("output_tokens")
    if total is None or prompt is None or completion is None:
        return []
    on_top = total - prompt - completion
    audio = counts.get("audio_input_tokens", 0)
    reasoning = counts.get("reasoning_tokens", 0)
    if on_top <= 0:
        return []
    if audio and on_top in (audio, audio + reasoning):
        counts["input_tokens"] = prompt + audio
        on_top -= audio
    counts["output_tokens"] = completion + on_top
    return []


def gemini(stated: Stated) -> list[Part]:
    """Gemini: thoughts lie outside the candidates, unless the total proves that they are inside."""
    total, candidates = stated.number("totalTokenCount"), stated.number("candidatesTokenCount")
    thoughts = stated.number("thoughtsTokenCount")
    if total is None or candidates is None or not thoughts:
        return []
    prompt, tools = stated.number("promptTokenCount") or 0, stated.number("toolUsePromptTokenCount") or 0
    if candidates >= thoughts and total in (prompt + candidates, prompt + tools + candidates):
        stated.counts["output_tokens"] = candidates
    return []


_ITERATION: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "input_tokens": (("input_tokens",), ("cache_read_input_tokens",), ("cache_creation_input_tokens",)),
    "output_tokens": (("output_tokens",),),
    "cache_read_tokens": (("cache_read_input_tokens",),),
    "cache_write_tokens": (("cache_creation_input_tokens",),),
    "cache_write_1h_tokens": (("cache_creation", "ephemeral_1h_input_tokens"),),
}


def anthropic(stated: Stated) -> list[Part]:
    """Anthropic: where ``iterations`` (compaction, advisor) sum to more, the sum is billed, each at its own model."""
    iterations = stated.usage.get("iterations")
    if not isinstance(iterations, list):
        return []
    sums: Counts = {}
    parts: list[Part] = []
    for item in iterations:
        if not isinstance(item, dict):
            continue
        own = {field: sum(_number(item, path) for path in paths) for field, paths in _ITERATION.items()}
        for field, value in own.items():
            sums[field] = sums.get(field, 0) + value
        if isinstance(item.get("model"), str):
            parts.append((item["model"], own))
    if _total(sums) <= _total(stated.counts):
        return []
    stated.counts.update(sums)
    return parts


def _total(counts: Mapping[str, float]) -> float:
    return counts.get("input_tokens", 0) + counts.get("output_tokens", 0)


def _number(item: Mapping[str, Any], path: tuple[str, ...]) -> float:
    value: Any = item
    for segment in path:
        value = value.get(segment) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


FUNCTIONS: Final[Mapping[str, Function]] = {"totals": totals, "gemini": gemini, "anthropic": anthropic}
"""By the name that a TOML uses."""


class Plain(NamedTuple):
    """When a function has nothing to change.

    Attributes:
        key: the key of the usage object that it reads.
        type: the type of the value there, as a leaf has it.
        holds: whether it has nothing to change, by that value and the tokens of input and output; each may be None.
    """

    key: str
    type: LeafType
    holds: Callable[[Any, int | None, int | None], bool]


def _no_more(total: int | None, given: int | None, made: int | None) -> bool:
    return total is None or given is None or made is None or total <= given + made


def _none(iterations: Any, _given: int | None, _made: int | None) -> bool:
    return iterations is None


PLAIN: Final[Mapping[Function, Plain]] = {
    totals: Plain("total_tokens", "count", _no_more),
    anthropic: Plain("iterations", "any", _none),
}
"""By function; one that reads more has no row."""
