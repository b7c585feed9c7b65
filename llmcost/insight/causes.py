"""Why spend is out of the ordinary: what changed most between the usual calls and those of the incident."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Cause = Literal["model", "tokens", "price", "calls", "retries", "errors"]

_SHARE_RISE: Final = 0.1
_DEARER: Final = math.log(1.3)
_MAIN_PART: Final = 0.35
"""A call's cost explains a rise if it makes up so much of it, on the scale of logs."""
_TOKENS_PART: Final = 0.5
_SAME: Final = 0.8
"""Ratios nearer to 1 than this are told as unchanged."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A key's calls over some time. None stands for unknown.

    Attributes:
        calls: calls a bucket.
        call_cost: USD a call.
        call_tokens: tokens a call.
        errors: share of failed calls.
        retries: share of repeated calls.
        model: the model of most calls.
    """

    calls: float
    call_cost: float | None
    call_tokens: float | None
    errors: float
    retries: float
    model: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, before and after: a number, or a model's name."""

    measure: str
    before: float | str | None
    after: float | str | None


def explain(before: Profile, after: Profile, *, dearer_calls: bool = False) -> tuple[Cause, Change]:
    """The cause of an incident and the change that shows it.

    Args:
        before: the usual calls.
        after: the calls of the incident.
        dearer_calls: the cost of a call is what was found; a rise in their number is then no explanation.
    """
    if after.retries - before.retries >= _SHARE_RISE:
        return "retries", Change("share of retries", before.retries, after.retries)
    dearer, more = _log_ratio(after.call_cost, before.call_cost), _log_ratio(after.calls, before.calls)
    if dearer >= _DEARER and (dearer_calls or dearer >= _MAIN_PART * (dearer + max(more, 0.0))):
        return _explain_call(before, after, dearer)
    if after.errors - before.errors >= _SHARE_RISE:
        return "errors", Change("share of errors", before.errors, after.errors)
    return "calls", Change("calls a bucket", before.calls, after.calls)


def _explain_call(before: Profile, after: Profile, dearer: float) -> tuple[Cause, Change]:
    """Why a call became dearer: another model, more tokens, or else a higher price."""
    if before.model and after.model and before.model != after.model:
        return "model", Change("model", before.model, after.model)
    if _log_ratio(after.call_tokens, before.call_tokens) >= _TOKENS_PART * dearer:
        return "tokens", Change("tokens a call", before.call_tokens, after.call_tokens)
    return "price", Change("cost a call", before.call_cost, after.call_cost)


def _log_ratio(after: float | None, before: float | None) -> float:
    if not after or not before:
        return 0.0
    return math.log(after / before)


# --- words ------------------------------------------------------------------------------------------------------


def describe(cause: Cause, before: Profile, after: Profile, spend: tuple[float, float] | None = None) -> str:
    """The change in words, without time and scope.

    Args:
        cause: what changed.
        before: the usual calls.
        after: the calls of the incident.
        spend: usual and real spend, USD: told where calls came more often, but neither in larger numbers nor dearer.
    """
    calls = _rise("calls", before.calls, after.calls, "{} a bucket")
    price = _rise("cost of a call", before.call_cost, after.call_cost, "${}")
    tokens = _rise("tokens of a call", before.call_tokens, after.call_tokens, "{}")
    told: dict[Cause, tuple[str, ...]] = {
        "retries": (f"share of retries {before.retries:.0%} → {after.retries:.0%}", calls),
        "errors": (f"share of errors {before.errors:.0%} → {after.errors:.0%}", calls),
        "model": (price, f"{before.model} became {after.model}", calls),
        "tokens": (price, tokens, calls),
        "price": (price, calls),
        "calls": (calls, price),
    }
    words = told[cause]
    if spend is not None and cause == "calls" and all(word.endswith("unchanged") for word in words):
        words = (_rise("spend", *spend, "${}"), *words)
    return "; ".join(words)


def _rise(what: str, before: float | None, after: float | None, unit: str) -> str:
    if after is None:
        return f"{what} unknown"
    if not before:
        return f"{what} {unit.format(_short(after))}, where there were none"
    if _SAME < after / before < 1 / _SAME:
        return f"{what} unchanged"
    change = f"{unit.format(_short(before))} → {unit.format(_short(after))}"
    return f"{what} x{_short(after / before, 2)} ({change})"


def _short(number: float, digits: int = 3) -> str:
    """So many digits that say something, never with an exponent."""
    if number >= 10**digits:
        return f"{number:,.0f}"
    if number <= 0:
        return "0"
    text = f"{number:.{max(0, digits - 1 - math.floor(math.log10(number)))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
