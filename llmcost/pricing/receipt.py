"""Receipts: how a cost comes about, line by line, computed anew from the usage."""

from __future__ import annotations

from collections.abc import Iterator

from llmcost.calls import Cost, Usage
from llmcost.lean import dataclass
from llmcost.pricing.formula import Price, cost, fee_lines, split
from llmcost.pricing.rates import CLASSES


@dataclass(frozen=True, slots=True)
class Line:
    """So many units of a kind at so many USD each.

    ``usd`` and ``amount`` are None where no price is known. ``field`` is the field of the price map that the rate
    comes from, ``remark`` what was done to it (a region's uplift, half for a batch).
    """

    kind: str
    units: float
    usd: float | None
    amount: float | None
    field: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A cost with the lines that it is the sum of.

    ``above`` is the length of prompt, in tokens, above which these rates hold; None for the first of them. ``tier`` is
    the ending of the fields of the service tier.
    """

    cost: Cost
    lines: tuple[Line, ...] = ()
    tier: str = ""
    above: int | None = None


def receipt(price: Price, usage: Usage) -> Receipt:
    """The receipt of a usage at a price; its cost equals that of :func:`~llmcost.pricing.formula.cost`."""
    band = price.card.band(usage.input_tokens or 0)
    lines = (*_token_lines(price, usage), *_fee_lines(price, usage))
    return Receipt(cost(price, usage), lines, price.suffix.lstrip("_"), band.above if band.above > 0 else None)


def _token_lines(price: Price, usage: Usage) -> Iterator[Line]:
    rates = price.card.band(usage.input_tokens or 0).rates
    for name, count in split(usage):
        kind = f"{name.replace('_', ' ')} tokens"
        rate = rates.get(name)
        if rate is None:
            yield Line(kind, count, None, None, CLASSES[name].field)
        else:
            yield Line(kind, count, rate.usd, count * rate.usd, rate.field, rate.remark)


def _fee_lines(price: Price, usage: Usage) -> Iterator[Line]:
    for fee in fee_lines(price, usage):
        amount = None if fee.usd is None else fee.units * fee.usd
        yield Line(fee.kind, fee.units, fee.usd, amount, fee.field)
