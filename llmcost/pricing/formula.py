"""The formula: usage times rates is cost.

Tokens are split into classes that exclude each other, each class is billed at its rate, and what is not tokens is
added as fees. A class that was used and has no rate makes the cost ``partial`` and is named in its note: unknown is not
zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from llmcost.calls import Cost, CostStatus, Usage
from llmcost.pricing.fees import Fee, Pricing, fees, used_units
from llmcost.pricing.pricemap import Entry
from llmcost.pricing.rates import CLASSES, Band, RateCard

Counts = list[tuple[str, int]]
_SIDE: Final = {name: (each.side == "prompt", each.detail) for name, each in CLASSES.items()}


@dataclass(frozen=True, slots=True)
class Price:
    """Everything that prices a call: the rates, the entry that they come from, and what a cost says of it.

    ``free`` is the status of a cost of 0 from an entry that lists nothing but zeros; ``note`` goes into every cost.
    """

    key: str
    card: RateCard
    entry: Entry
    source: str
    date: str | None
    suffix: str = ""
    tools: Mapping[str, float] = field(default_factory=dict)
    zero: CostStatus = "priced"
    note: str | None = None


def split(usage: Usage) -> Counts:
    """The tokens by class, each token in one class only.

    Cached tokens may be of any kind, so audio, images and video are billed only as far as the cache leaves room.
    Details that contradict their total are cut to it.
    """
    total_in, total_out = usage.input_tokens or 0, usage.output_tokens or 0
    read, written, audio, image = (
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.audio_input_tokens,
        usage.image_input_tokens,
    )
    counts: Counts = []
    if not (read or written or audio or image or usage.video_input_tokens or usage.citation_tokens):
        counts.append(("input", total_in))
    else:
        counts += _split_input(usage, total_in)
    reasoning = usage.reasoning_tokens
    if not (reasoning or usage.audio_output_tokens or usage.image_output_tokens or usage.video_output_tokens):
        counts.append(("output", total_out))
    else:
        counts += _split_output(usage, total_out)
    return counts


def _split_input(usage: Usage, total: int) -> Counts:
    read = min(usage.cache_read_tokens, total)
    written = min(usage.cache_write_tokens, total - read)
    written_1h = min(usage.cache_write_1h_tokens, written)
    read_audio = min(usage.audio_cache_read_tokens, read)
    read_image = min(usage.image_cache_read_tokens, read - read_audio)
    room = total - read - written
    audio = min(max(usage.audio_input_tokens - read_audio, 0), room)
    image = min(max(usage.image_input_tokens - read_image, 0), room - audio)
    video = min(max(usage.video_input_tokens - usage.video_cache_read_tokens, 0), room - audio - image)
    parts = (
        ("input", room - audio - image - video),
        ("cache_read", read - read_audio - read_image),
        ("audio_cache_read", read_audio),
        ("image_cache_read", read_image),
        ("cache_write", written - written_1h),
        ("cache_write_1h", written_1h),
        ("audio_input", audio),
        ("image_input", image),
        ("video_input", video),
        ("citation", usage.citation_tokens),
    )
    return [part for part in parts if part[1]]


def _split_output(usage: Usage, total: int) -> Counts:
    audio = min(usage.audio_output_tokens, total)
    image = min(usage.image_output_tokens, total - audio)
    video = min(usage.video_output_tokens, total - audio - image)
    reasoning = min(usage.reasoning_tokens, total - audio - image - video)
    parts = (
        ("output", total - audio - image - video - reasoning),
        ("reasoning", reasoning),
        ("audio_output", audio),
        ("image_output", image),
        ("video_output", video),
    )
    return [part for part in parts if part[1]]


def cost(price: Price, usage: Usage) -> Cost:
    """What this usage costs at this price."""
    if usage.input_tokens is None and usage.output_tokens is None and not used_units(usage):
        return _unknown(price, "the response states no usage")
    usd = price.card.band(usage.input_tokens or 0).usd
    prompt = completion = 0.0
    prompt_details: dict[str, float] = {}
    completion_details: dict[str, float] = {}
    missing: list[str] = []
    for name, count in split(usage):
        rate = usd.get(name)
        if rate is None:
            if count:
                missing.append(name)
            continue
        amount = count * rate
        in_prompt, detail = _SIDE[name]
        if in_prompt:
            prompt += amount
            prompt_details[detail] = prompt_details.get(detail, 0.0) + amount
        else:
            completion += amount
            completion_details[detail] = completion_details.get(detail, 0.0) + amount
    other = 0.0
    if missing or used_units(usage) or "input_cost_per_request" in price.entry:
        lines = fee_lines(price, usage)
        missing = _still_missing(missing, lines)
        other = sum(fee.units * fee.usd for fee in lines if fee.usd is not None)
        if missing and not (prompt or completion or other):
            return _unknown(price, _no_price(missing))
    total = prompt + completion + other
    status, note = _status(price, usage, missing, total)
    return Cost(
        status,
        total,
        prompt,
        completion,
        other,
        price.key,
        price.source,
        price.date,
        prompt_details,
        completion_details,
        note,
    )


def fee_lines(price: Price, usage: Usage) -> list[Fee]:
    """The fees of a call, those without a price among them."""
    usd = price.card.band(usage.input_tokens or 0).usd
    billed = frozenset(name for name, count in split(usage) if count and name in usd)
    return fees(usage, Pricing(price.entry, price.tools, price.suffix, billed))


def _still_missing(missing: list[str], lines: list[Fee]) -> list[str]:
    """Tokens without a rate are no gap where the call is billed by the piece; a fee without a price is one."""
    unpriced = [fee.kind for fee in lines if fee.usd is None]
    return unpriced if any(fee.usd is not None for fee in lines) else missing + unpriced


def _status(price: Price, usage: Usage, missing: list[str], total: float) -> tuple[CostStatus, str | None]:
    if missing:
        return "partial", _joined(_no_price(missing), price.note)
    if usage.output_tokens is None and usage.input_tokens is not None and price.card.first.usd.get("output"):
        return "partial", _joined("the response states no output tokens", price.note)
    return (price.zero if total == 0 else "priced"), price.note


def _unknown(price: Price, why: str) -> Cost:
    return Cost(
        "partial" if price.card.first.rates else "unpriced",
        price_key=price.key,
        price_source=price.source,
        price_date=price.date,
        note=_joined(why, price.note),
    )


def _no_price(missing: list[str]) -> str:
    return "no price for " + ", ".join(name.replace("_", " ") for name in missing)


def _joined(*notes: str | None) -> str:
    return "; ".join(note for note in notes if note)


def band_of(price: Price, usage: Usage) -> Band:
    """The rates that a call of this usage is billed at."""
    return price.card.band(usage.input_tokens or 0)
