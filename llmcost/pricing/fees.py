"""What is not billed by the token: images, seconds, characters, pages, queries, requests and built-in tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from llmcost.calls import Usage
from llmcost.lean import dataclass
from llmcost.pricing.entries import Entry
from llmcost.pricing.tables import billing

_SEARCH: Final = "search_context_cost_per_query"
PER_REQUEST: Final = "input_cost_per_request"
"""The field of a charge for each request, whatever it used."""
_PER_PROMPT: Final = "per_prompt"
_PIXELS: Final = re.compile(r"(\d+)\D+(\d+)")


@dataclass(frozen=True, slots=True)
class Fee:
    """One line of a receipt that is not tokens: so many units at so much each; ``usd`` is None without a price."""

    kind: str
    units: float
    usd: float | None
    field: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of usage: its attribute of ``Usage``, its kind on the receipt, the fields that may price it, best first.

    ``instead`` are the classes of tokens that measure the same thing: where one is billed, the unit is not.
    """

    attribute: str
    kind: str
    fields: tuple[str, ...]
    instead: frozenset[str] = frozenset()


_AUDIO: Final = frozenset({"input", "audio_input"})
_OUTPUT: Final = frozenset({"output", "audio_output", "image_output", "video_output"})

UNITS: Final = (
    Unit("input_characters", "input characters", ("input_cost_per_character",), frozenset({"input"})),
    Unit("output_characters", "output characters", ("output_cost_per_character",), _OUTPUT),
    Unit("input_seconds", "input seconds", ("input_cost_per_audio_per_second", "input_cost_per_second"), _AUDIO),
    Unit("video_input_seconds", "video seconds", ("input_cost_per_video_per_second",), frozenset({"video_input"})),
    Unit("input_images", "input images", ("input_cost_per_image",), frozenset({"image_input"})),
    Unit("queries", "queries", ("input_cost_per_query",)),
    Unit("pages", "pages", ("ocr_cost_per_page",)),
    Unit("annotated_pages", "annotated pages", ("annotation_cost_per_page",)),
    Unit("map_searches", "map searches", ("google_maps_grounding_cost_per_query",)),
    Unit("code_sessions", "code sessions", ("code_interpreter_cost_per_session", "tool:code_session")),
    Unit("file_searches", "file searches", ("file_search_cost_per_1k_calls", "tool:file_search")),
)
_PER_THOUSAND: Final = frozenset({"file_search_cost_per_1k_calls"})


def used_units(usage: Usage) -> bool:
    """Whether anything but tokens was used. One expression, because every call passes here."""
    return bool(
        usage.images
        or usage.web_searches
        or usage.input_seconds
        or usage.output_seconds
        or usage.input_characters
        or usage.queries
        or usage.pages
        or usage.code_sessions
        or usage.file_searches
        or usage.output_characters
        or usage.input_images
        or usage.video_input_seconds
        or usage.annotated_pages
        or usage.map_searches
    )


@dataclass(frozen=True, slots=True)
class Pricing:
    """What fees are priced by: an entry, the tools of its provider, the tier's ending, and which classes of tokens are
    billed already."""

    entry: Entry
    tools: Mapping[str, float]
    suffix: str
    billed: frozenset[str]


def fees(usage: Usage, pricing: Pricing) -> list[Fee]:
    """The fees of a call. A unit whose tokens are billed already is left out."""
    return [fee for rule in _RULES for fee in rule(usage, pricing)]


def _plain(usage: Usage, pricing: Pricing) -> Iterator[Fee]:
    for unit in UNITS:
        count = getattr(usage, unit.attribute)
        if not count or unit.instead & pricing.billed:
            continue
        usd, name = _rate(pricing, unit.fields)
        yield Fee(unit.kind, count, usd, name)


def _rate(pricing: Pricing, names: tuple[str, ...]) -> tuple[float | None, str]:
    for name in names:
        if name.startswith("tool:"):
            value = pricing.tools.get(name.removeprefix("tool:"))
        else:
            value = pricing.entry.get(name + pricing.suffix, pricing.entry.get(name))
        if value is not None:
            return float(value) / (1000 if name in _PER_THOUSAND else 1), name
    return None, names[0]


def _requests(_usage: Usage, pricing: Pricing) -> Iterator[Fee]:
    usd = pricing.entry.get(PER_REQUEST)
    if usd is not None:
        yield Fee("request", 1, float(usd), PER_REQUEST)


def _video(usage: Usage, pricing: Pricing) -> Iterator[Fee]:
    if not usage.output_seconds or _OUTPUT & pricing.billed:
        return
    names = ["output_cost_per_video_per_second", "output_cost_per_second"]
    if usage.video_resolution:
        names.insert(1, f"output_cost_per_second_{usage.video_resolution.lower()}")
    usd, name = _rate(pricing, tuple(names))
    yield Fee("output seconds", usage.output_seconds, usd, name)


def _images(usage: Usage, pricing: Pricing) -> Iterator[Fee]:
    """Images by the piece: at the price of their size, else the flat one, else by the pixel."""
    if not usage.images or _OUTPUT & pricing.billed:
        return
    names = ["output_cost_per_image"]
    if usage.image_size:
        names.insert(0, f"output_cost_per_image_{usage.image_size}")
    usd, name = _rate(pricing, tuple(names))
    if not usd:
        pixels, by_pixel = _pixels(usage.image_size), _rate(pricing, ("output_cost_per_pixel",))
        if not by_pixel[0]:
            by_pixel = _rate(pricing, ("input_cost_per_pixel",))
        if by_pixel[0] and pixels:
            usd, name = by_pixel[0] * pixels, by_pixel[1]
        elif usd is None and pricing.entry.get("mode") == "image_generation":
            usd, name = _rate(pricing, ("input_cost_per_image",))
    yield Fee("images", usage.images, usd, name)


def _pixels(size: str | None) -> int | None:
    found = _PIXELS.search(size or "")
    return int(found[1]) * int(found[2]) if found else None


def _searches(usage: Usage, pricing: Pricing) -> Iterator[Fee]:
    """Built-in web searches, by context size. An entry billed ``per_prompt`` charges a grounded prompt once."""
    if not usage.web_searches:
        return
    prices: Mapping[str, Any] = pricing.entry.get(_SEARCH) or {}
    size = f"search_context_size_{(usage.search_context or 'medium').lower()}"
    usd = prices.get(size)
    unit = (
        pricing.entry.get("web_search_billing_unit") or billing(pricing.entry.get("litellm_provider", "")).search_unit
    )
    yield Fee(
        "web searches",
        1 if unit == _PER_PROMPT else usage.web_searches,
        None if usd is None else float(usd),
        f"{_SEARCH}.{size}",
    )


_RULES: Final[tuple[Callable[[Usage, Pricing], Iterator[Fee]], ...]] = (_requests, _plain, _images, _video, _searches)
