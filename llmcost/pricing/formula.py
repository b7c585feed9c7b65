"""The formula: usage times rates is cost.

Tokens are split into classes that exclude each other, each class is billed at its rate, and what is not tokens is
added as fees. A class that was used and has no rate makes the cost ``partial`` and is named in its note: unknown is not
zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from llmcost.calls import Cost, CostStatus, Usage, make_cost
from llmcost.lean import dataclass
from llmcost.pricing.entries import Entry
from llmcost.pricing.fees import PER_REQUEST, Fee, Pricing, fees, used_units
from llmcost.pricing.rates import CLASSES, RateCard

Counts = list[tuple[str, int]]
_SIDE: Final = {name: (each.side == "prompt", each.detail) for name, each in CLASSES.items()}
_NONE: Final = ()


@dataclass(frozen=True, slots=True)
class Price:
    """Everything that prices a call: the rates, the entry that they come from, and what a cost says of it.

    ``zero`` is the status of a cost of 0 (an entry of a hosted model may list nothing but zeros); ``note`` goes into
    every cost.
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
    counts: Counts = []
    _split_input(counts, usage)
    _split_output(counts, usage)
    return counts


def has_details(usage: Usage) -> bool:
    """Whether any token is more than plain input or output. One expression, because every call passes here."""
    return bool(
        usage.cache_read_tokens
        or usage.reasoning_tokens
        or usage.cache_write_tokens
        or usage.audio_input_tokens
        or usage.image_input_tokens
        or usage.video_input_tokens
        or usage.audio_output_tokens
        or usage.image_output_tokens
        or usage.video_output_tokens
        or usage.citation_tokens
    )


def _split_input(counts: Counts, usage: Usage) -> None:
    room = usage.input_tokens or 0
    if usage.cache_read_tokens:
        read = min(usage.cache_read_tokens, room)
        room -= read
        if usage.audio_cache_read_tokens or usage.image_cache_read_tokens:
            audio = min(usage.audio_cache_read_tokens, read)
            image = min(usage.image_cache_read_tokens, read - audio)
            read -= _add(counts, ("audio_cache_read", audio), ("image_cache_read", image))
        counts.append(("cache_read", read))
    if usage.cache_write_tokens:
        written = min(usage.cache_write_tokens, room)
        room -= written
        if usage.cache_write_1h_tokens:
            written -= _add(counts, ("cache_write_1h", min(usage.cache_write_1h_tokens, written)))
        counts.append(("cache_write", written))
    if usage.audio_input_tokens or usage.image_input_tokens or usage.video_input_tokens:
        audio = min(max(usage.audio_input_tokens - usage.audio_cache_read_tokens, 0), room)
        image = min(max(usage.image_input_tokens - usage.image_cache_read_tokens, 0), room - audio)
        video = min(max(usage.video_input_tokens - usage.video_cache_read_tokens, 0), room - audio - image)
        room -= _add(counts, ("audio_input", audio), ("image_input", image), ("video_input", video))
    if usage.citation_tokens:
        counts.append(("citation", usage.citation_tokens))
    if room:
        counts.append(("input", room))


def _split_output(counts: Counts, usage: Usage) -> None:
    room = usage.output_tokens or 0
    if usage.audio_output_tokens or usage.image_output_tokens or usage.video_output_tokens:
        audio = min(usage.audio_output_tokens, room)
        image = min(usage.image_output_tokens, room - audio)
        video = min(usage.video_output_tokens, room - audio - image)
        room -= _add(counts, ("audio_output", audio), ("image_output", image), ("video_output", video))
    if usage.reasoning_tokens:
        reasoning = min(usage.reasoning_tokens, room)
        room -= reasoning
        counts.append(("reasoning", reasoning))
    if room:
        counts.append(("output", room))


def _add(counts: Counts, *parts: tuple[str, int]) -> int:
    """Add the parts that are not empty; returns their sum."""
    total = 0
    for part in parts:
        if part[1]:
            counts.append(part)
            total += part[1]
    return total


def cost(price: Price, usage: Usage) -> Cost:
    """What this usage costs at this price."""
    band = price.card.band(usage.input_tokens or 0)
    if band.usual is not None and is_usual(usage):
        prompt, completion, prompt_details, completion_details = _usual(band.usual, usage)
        missing: Sequence[str] = _NONE
    elif band.plain is None or has_details(usage):
        prompt, completion, prompt_details, completion_details, missing = _by_class(band.usd, usage)
    else:
        prompt = (usage.input_tokens or 0) * band.plain[0]
        completion = (usage.output_tokens or 0) * band.plain[1]
        prompt_details, completion_details, missing = {"input": prompt}, {"output": completion}, _NONE
    other = 0.0
    if missing or PER_REQUEST in price.entry or used_units(usage):
        lines = fee_lines(price, usage)
        missing = _still_missing(missing, lines)
        other = sum(fee.units * fee.usd for fee in lines if fee.usd is not None)
    total = prompt + completion + other
    status: CostStatus = "priced"
    note = price.note
    if missing or total == 0 or usage.output_tokens is None:
        if _says_nothing(usage):
            return _unknown(price, "the response states no usage")
        if missing and total == 0:
            return _unknown(price, _no_price(missing))
        status, note = _status(price, usage, missing, total)
    key, source, date = price.key, price.source, price.date
    return make_cost(
        status, total, prompt, completion, other, key, source, date, prompt_details, completion_details, note
    )


def is_usual(usage: Usage) -> bool:
    """Whether cached input and reasoning are the only details, and there are some: most calls of today's models."""
    return bool(usage.cache_read_tokens or usage.reasoning_tokens) and not (
        usage.cache_write_tokens
        or usage.audio_input_tokens
        or usage.image_input_tokens
        or usage.video_input_tokens
        or usage.audio_cache_read_tokens
        or usage.image_cache_read_tokens
        or usage.audio_output_tokens
        or usage.image_output_tokens
        or usage.video_output_tokens
        or usage.citation_tokens
    )


def _usual(
    usd: tuple[float, float, float, float], usage: Usage
) -> tuple[float, float, dict[str, float], dict[str, float]]:
    """What :func:`_by_class` gives for such a usage, a third of the way."""
    room, out = usage.input_tokens or 0, usage.output_tokens or 0
    read, reasoning = usage.cache_read_tokens, usage.reasoning_tokens
    prompt_details, completion_details = {}, {}
    if read:
        read = min(read, room)
        room -= read
        prompt_details["cache_read"] = read * usd[1]
    if room:
        prompt_details["input"] = room * usd[0]
    if reasoning:
        reasoning = min(reasoning, out)
        out -= reasoning
        completion_details["reasoning"] = reasoning * usd[3]
    if out:
        completion_details["output"] = out * usd[2]
    return sum(prompt_details.values(), 0.0), sum(completion_details.values(), 0.0), prompt_details, completion_details


def _by_class(
    usd: Mapping[str, float], usage: Usage
) -> tuple[float, float, dict[str, float], dict[str, float], Sequence[str]]:
    """The sums of both sides, their details, and the classes without a rate."""
    prompt = completion = 0.0
    prompt_details: dict[str, float] = {}
    completion_details: dict[str, float] = {}
    missing: list[str] = []
    for name, count in split(usage):
        rate = usd.get(name)
        if rate is None:
            missing.append(name)
            continue
        in_prompt, detail = _SIDE[name]
        amount = count * rate
        if in_prompt:
            prompt += amount
            prompt_details[detail] = prompt_details.get(detail, 0.0) + amount
        else:
            completion += amount
            completion_details[detail] = completion_details.get(detail, 0.0) + amount
    return prompt, completion, prompt_details, completion_details, missing


def _says_nothing(usage: Usage) -> bool:
    return usage.input_tokens is None and usage.output_tokens is None and not used_units(usage)


def fee_lines(price: Price, usage: Usage) -> list[Fee]:
    """The fees of a call, those without a price among them."""
    usd = price.card.band(usage.input_tokens or 0).usd
    billed = frozenset(name for name, _ in split(usage) if name in usd)
    return fees(usage, Pricing(price.entry, price.tools, price.suffix, billed))


def _still_missing(missing: Sequence[str], lines: list[Fee]) -> Sequence[str]:
    """Tokens without a rate are no gap where the call is billed by the piece; a fee without a price is one."""
    unpriced = [fee.kind for fee in lines if fee.usd is None]
    return unpriced if any(fee.usd is not None for fee in lines) else [*missing, *unpriced]


def _status(price: Price, usage: Usage, missing: Sequence[str], total: float) -> tuple[CostStatus, str | None]:
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


def _no_price(missing: Sequence[str]) -> str:
    return "no price for " + ", ".join(name.replace("_", " ") for name in missing)


def _joined(*notes: str | None) -> str:
    return "; ".join(note for note in notes if note)
