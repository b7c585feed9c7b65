"""From a model's name, as programs and providers write it, to a key of the price map.

The rules, in order; each is exact, none takes the longest prefix:

1. the name itself, alone and after each of the provider's prefixes;
2. the same without what stands around it: ``models/…`` and ``publishers/…/models/…`` paths, the provider's own prefix,
   the ARN of a Bedrock inference profile or foundation model, the suffix of a fine-tuned model;
3. the same without a date at its end (``-2025-08-07``, ``-20250807``).

An entry counts only if it is one of the provider's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from llmcost.calls import Usage
from llmcost.pricing.entries import Entry
from llmcost.pricing.tables import Provider

_DATE: Final = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")
_ARN: Final = re.compile(
    r"^arn:aws[\w-]*:bedrock:(?P<region>[\w-]*):\d*:(inference-profile|foundation-model)/(?P<name>.+)$"
)
_FINE_TUNED: Final = re.compile(r"^(ft:[^:]+):.*$")
_SIZE: Final = re.compile(r"(\d+)(?:x|-x-)(\d+)")
_USUAL_QUALITY: Final = "standard"
_ALIKE: Final = 0.35


def find(models: Mapping[str, Entry], provider: Provider, names: Iterable[str], region: str | None) -> str | None:
    """The key that prices the first of these names that has one, or None."""
    spelled = [spelling for name in names for spelling in spellings(name, provider)]
    undated = [_DATE.sub("", name) for name in spelled if _DATE.search(name)]
    for name in (*spelled, *undated):
        for prefix in provider.prefixes:
            key = _prefixed(prefix, name, region)
            entry = models.get(key) if key else None
            if entry is not None and provider.owns(entry.get("litellm_provider", "")):
                return key
    return None


def spellings(name: str, provider: Provider) -> Iterator[str]:
    """The name and its plainer forms, rules 1 and 2."""
    if "%" in name:
        name = unquote(name)
    yield name
    for prefix in provider.prefixes:
        if prefix and name.startswith(prefix):
            yield name.removeprefix(prefix)
    if "models/" in name:
        yield name.rpartition("models/")[2]
    arn = _ARN.match(name)
    if arn:
        yield arn["name"]
    tuned = _FINE_TUNED.match(name)
    if tuned:
        yield tuned[1]


def _prefixed(prefix: str, name: str, region: str | None) -> str | None:
    if "{region}" in prefix:
        return prefix.format(region=region) + name if region else None
    return prefix + name


def sized(name: str, usage: Usage) -> Iterator[str]:
    """The names of an image model's entries for one size: ``hd/1024-x-1024/dall-e-3``, ``1024-x-1024/dall-e-3``."""
    found = _SIZE.fullmatch(usage.image_size or "")
    if found and name:
        size = f"{found[1]}-x-{found[2]}"
        yield f"{usage.image_quality or _USUAL_QUALITY}/{size}/{name}"
        yield f"{size}/{name}"


def nearest(models: Mapping[str, Entry], provider: Provider, name: str, count: int = 3) -> list[str]:
    """Known names of the provider that look most like an unknown one; for a hint, never for a price."""
    wanted = _pieces(name)
    scored = []
    for key, entry in models.items():
        if provider.owns(entry.get("litellm_provider", "")):
            pieces = _pieces(key.rpartition("/")[2])
            score = len(wanted & pieces) / len(wanted | pieces)
            if score >= _ALIKE:
                scored.append((-score, key))
    return [key for _, key in sorted(scored)[:count]]


def _pieces(name: str) -> set[str]:
    """All runs of three characters, by which names that differ in a letter or a number still look alike."""
    text = f"^{name.lower()}$"
    return {text[at : at + 3] for at in range(len(text) - 2)}
