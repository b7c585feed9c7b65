"""From an entry of the map to rates: what one token of each class costs, by tier, by length of the prompt, by region.

An entry is compiled once into a :class:`RateCard`; pricing a call is then a few multiplications. Every rate remembers
the field that it came from, so that a receipt can say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from llmcost.lean import dataclass
from llmcost.pricing.entries import Entry
from llmcost.pricing.tables import billing

Side = Literal["prompt", "completion"]


@dataclass(frozen=True, slots=True)
class TokenClass:
    """A class of tokens: its side, its name in a cost's details, its field, and the class that prices it otherwise."""

    name: str
    side: Side
    detail: str
    field: str
    otherwise: str | None = None


TOKEN_CLASSES: Final = (
    TokenClass("input", "prompt", "input", "input_cost_per_token"),
    TokenClass("cache_read", "prompt", "cache_read", "cache_read_input_token_cost", "input"),
    TokenClass("audio_cache_read", "prompt", "cache_read", "cache_read_input_audio_token_cost", "cache_read"),
    TokenClass("image_cache_read", "prompt", "cache_read", "cache_read_input_image_token_cost", "cache_read"),
    TokenClass("cache_write", "prompt", "cache_write", "cache_creation_input_token_cost", "input"),
    TokenClass("cache_write_1h", "prompt", "cache_write", "cache_creation_input_token_cost_above_1hr", "cache_write"),
    TokenClass("audio_input", "prompt", "audio", "input_cost_per_audio_token", "input"),
    TokenClass("image_input", "prompt", "image", "input_cost_per_image_token", "input"),
    TokenClass("video_input", "prompt", "video", "input_cost_per_video_token", "input"),
    TokenClass("citation", "prompt", "citation", "citation_cost_per_token"),
    TokenClass("output", "completion", "output", "output_cost_per_token"),
    TokenClass("reasoning", "completion", "reasoning", "output_cost_per_reasoning_token", "output"),
    TokenClass("audio_output", "completion", "audio", "output_cost_per_audio_token", "output"),
    TokenClass("image_output", "completion", "image", "output_cost_per_image_token", "output"),
    TokenClass("video_output", "completion", "video", "output_cost_per_video_token", "output"),
)
CLASSES: Final[Mapping[str, TokenClass]] = {each.name: each for each in TOKEN_CLASSES}

BATCH: Final = "_batches"
_HALVED: Final = frozenset({"image_output", "cache_write_1h"})
_HALF: Final = "half: no batch price is listed"
_THRESHOLD: Final = re.compile(r"_above_(\d+)(k?)_tokens")
_TIERED: Final = ("input", "cache_read", "cache_write", "cache_write_1h")


@dataclass(frozen=True, slots=True)
class Rate:
    """USD a token, and where it came from: a field of the entry, and what was done to it."""

    usd: float
    field: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """The rates of prompts longer than ``above`` tokens, by class. A class without a rate is absent.

    ``usd`` are the bare rates; ``plain`` those of input and output, where both are known;
    ``usual`` those of input, cached input, output and reasoning, where all four are.
    """

    above: int
    rates: Mapping[str, Rate]
    usd: Mapping[str, float]
    plain: tuple[float, float] | None
    usual: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class RateCard:
    """The rates of one entry at one tier, region and time: ``first`` for short prompts, ``longer`` for longer ones, the
    longest first."""

    first: Band
    longer: tuple[Band, ...] = ()

    @property
    def halved(self) -> bool:
        """Whether the input's rate is half of a standard one, for want of a batch price."""
        rate = self.first.rates.get("input")
        return rate is not None and rate.remark.startswith(_HALF)

    def band(self, input_tokens: int) -> Band:
        """The rates for a prompt of this length; the whole request is billed at them."""
        for band in self.longer:
            if input_tokens > band.above:
                return band
        return self.first


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides an entry's rates besides the length of the prompt.

    ``suffix`` is the tier's ending of fields, ``multiplier`` a regional or speed uplift and ``uplift`` its name.
    """

    suffix: str = ""
    off_peak: bool = False
    multiplier: float = 1.0
    uplift: str = ""


STANDARD: Final = Terms()


def compile_card(entry: Entry, terms: Terms = STANDARD) -> RateCard:
    """The rate card of an entry under these terms."""
    bands = sorted(_bands(entry, terms), key=lambda band: -band.above)
    return RateCard(bands[-1], tuple(bands[:-1]))


def _bands(entry: Entry, terms: Terms) -> Iterator[Band]:
    tiers = entry.get("tiered_pricing")
    if tiers:
        ranges = sorted(
            (tier for tier in tiers if len(tier.get("range") or ()) == 2), key=lambda tier: tier["range"][0]
        )
        for tier in ranges:
            yield _band(int(tier["range"][0]), _merged(entry, tier), terms, ())
        if ranges:
            return
    thresholds = sorted({limit for name in entry if (limit := _threshold(name)) is not None})
    inclusive = 1 if billing(entry.get("litellm_provider", "")).inclusive_thresholds else 0
    for crossed in range(len(thresholds) + 1):
        above = thresholds[crossed - 1] - inclusive if crossed else -1
        yield _band(above, entry, terms, tuple(reversed(thresholds[:crossed])))


def _threshold(name: str) -> int | None:
    found = _THRESHOLD.search(name)
    return int(found[1]) * (1000 if found[2] else 1) if found else None


def _merged(entry: Entry, tier: Mapping[str, Any]) -> Entry:
    """The entry with one tier of its ``tiered_pricing`` laid over it. A tier that lists rates of one side replaces that
    side as a whole, so that no request mixes two tiers."""
    replaced = {CLASSES[name].field for name in _TIERED}
    if "output_cost_per_token" in tier:
        replaced.add(CLASSES["reasoning"].field)
    return {name: value for name, value in entry.items() if name not in replaced} | dict(tier)


def _band(above: int, entry: Entry, terms: Terms, thresholds: tuple[int, ...]) -> Band:
    listed = dict(_listed(entry, terms, thresholds))
    if terms.off_peak and terms.suffix != BATCH:
        listed |= dict(_off_peak(entry))
    _settle_reasoning(listed)
    _default_cache_read(entry, listed)
    rates = {name: _uplifted(rate, terms) for name in CLASSES if (rate := _resolved(name, listed)) is not None}
    usd = {name: rate.usd for name, rate in rates.items()}
    plain = (usd["input"], usd["output"]) if {"input", "output"} <= usd.keys() else None
    usual = None
    if plain is not None and {"cache_read", "reasoning"} <= usd.keys():
        usual = (usd["input"], usd["cache_read"], usd["output"], usd["reasoning"])
    return Band(above, rates, usd, plain, usual)


def _listed(entry: Entry, terms: Terms, thresholds: tuple[int, ...]) -> Iterator[tuple[str, Rate]]:
    """The rates that the entry lists itself."""
    batched = {CLASSES[name].side for name in ("input", "output") if _has_batch(entry, CLASSES[name].field)}
    for each in TOKEN_CLASSES:
        own = _first(entry, _candidates(each.field, terms.suffix, thresholds))
        if own is not None and terms.suffix == BATCH:
            own = _batch_rate(each, own, sided=each.side in batched)
        if own is not None:
            yield each.name, own


def _has_batch(entry: Entry, field: str) -> bool:
    return any(name.startswith(field) and name.endswith(BATCH) for name in entry)


def _batch_rate(each: TokenClass, own: Rate, *, sided: bool) -> Rate | None:
    """A batch rate is the listed one. Where the side lists none, it is half the standard rate; where it does, a class
    without its own goes by the side's, except image output and writes for an hour, which are half of theirs."""
    if own.field.endswith(BATCH):
        return own
    if sided and each.name not in _HALVED:
        return None
    return Rate(own.usd / 2, own.field, _HALF)


def _candidates(name: str, suffix: str, thresholds: tuple[int, ...]) -> Iterator[str]:
    """Fields from the most to the least specific. A length counts for more than a tier, but no batch is billed at a
    standard rate while its own is listed."""
    lengths = [f"{name}_above_{label}_tokens" for limit in thresholds for label in (f"{limit // 1000}k", str(limit))]
    if suffix == BATCH:
        yield from (length + suffix for length in lengths)
        yield name + suffix
    for length in lengths:
        if suffix:
            yield length + suffix
        yield length
    if suffix:
        yield name + suffix
    yield name


def _first(entry: Entry, names: Iterator[str]) -> Rate | None:
    for name in names:
        value = entry.get(name)
        if value is not None:
            return Rate(float(value), name)
    return None


def _off_peak(entry: Entry) -> Iterator[tuple[str, Rate]]:
    """Off-peak rates are flat: they replace tiers and lengths."""
    rules = entry.get("off_peak_pricing") or {}
    for each in TOKEN_CLASSES:
        value = rules.get(each.field)
        if value is not None:
            yield each.name, Rate(float(value), f"off_peak_pricing.{each.field}")


def _settle_reasoning(listed: dict[str, Rate]) -> None:
    """A reasoning rate of the standard tier gives way where the output's own comes from a tier or a length."""
    output, reasoning = listed.get("output"), listed.get("reasoning")
    if (
        output
        and reasoning
        and output.field != CLASSES["output"].field
        and reasoning.field == CLASSES["reasoning"].field
    ):
        del listed["reasoning"]


def _default_cache_read(entry: Entry, listed: dict[str, Rate]) -> None:
    ratio = billing(entry.get("litellm_provider", "")).cache_read_ratio
    if ratio is not None and "cache_read" not in listed and "input" in listed:
        base = listed["input"]
        listed["cache_read"] = Rate(base.usd * ratio, base.field, f"x {ratio:g} for cached input")


def _resolved(name: str, listed: Mapping[str, Rate]) -> Rate | None:
    """The class's own rate, else that of the class that stands in for it."""
    own = listed.get(name)
    if name == "output":
        # Image models list output tokens under the image field only, or the plain one at 0.
        return own if own is not None and own.usd else listed.get("image_output", own)
    if own is not None:
        return own
    otherwise = CLASSES[name].otherwise
    return _resolved(otherwise, listed) if otherwise else None


def _uplifted(rate: Rate, terms: Terms) -> Rate:
    if terms.multiplier == 1.0:
        return rate
    remark = f"{rate.remark}; {terms.uplift}" if rate.remark else terms.uplift
    return Rate(rate.usd * terms.multiplier, rate.field, remark)
