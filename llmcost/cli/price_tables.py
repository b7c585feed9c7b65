"""How prices, differences and receipts look, in the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmcost.calls import Call
from llmcost.pricing import Line, Receipt
from llmcost.pricing.formula import Price
from llmcost.pricing.pricemap import Difference, PriceMap
from llmcost.pricing.rates import Band, Rate
from llmcost.report.words import UNKNOWN, plain, plural

_SHOWN: Final = 20
"""Names shown of a long list; ``--json`` has them all."""
_MILLION: Final = 1_000_000
_CENT_OF_A_CENT: Final = 1e-9

Receipts = Sequence[tuple[str, Receipt]]


def show_difference(difference: Difference, new: PriceMap, out: Console) -> None:
    """What an update changes."""
    meta = new.meta
    _say(out, f"Prices of {plain(meta.source)} {plain(meta.version)}, {meta.date}: {plural(len(new.models), 'model')}")
    _say(
        out,
        f"{len(difference.added):,} added, {len(difference.removed):,} removed, {len(difference.changed):,} changed",
    )
    for sign, names in (("+", difference.added), ("-", difference.removed)):
        for name in names[:_SHOWN]:
            _say(out, f"{sign} {plain(name)}")
        _more(len(names), out)
    for name, fields in list(difference.changed.items())[:_SHOWN]:
        _say(out, f"~ {plain(name)}: " + ", ".join(f"{field} {old} -> {now}" for field, (old, now) in fields.items()))
    _more(len(difference.changed), out)


def _more(count: int, out: Console) -> None:
    if count > _SHOWN:
        _say(out, f"  and {count - _SHOWN:,} more")


def show_price(price: Price, out: Console) -> None:
    """The rates of a price, a table for each length of prompt."""
    dated = f" of {price.date}" if price.date else ""
    _say(out, f"{plain(price.key)} ({price.source}{dated})")
    if price.note:
        _say(out, plain(price.note))
    shown: Mapping[str, Rate] = {}
    for band in (price.card.first, *reversed(price.card.longer)):
        if band.rates == shown:
            continue
        shown = band.rates
        if band.above > 0:
            _say(out, f"Prompts above {band.above:,} tokens")
        table = _table(("Class", "left"), ("USD per million", "right"), ("Field", "left"))
        for name, rate in _own_rates(band).items():
            where = f"{rate.field} ({rate.remark})" if rate.remark else rate.field
            table.add_row(name.replace("_", " "), _rate(rate.usd * _MILLION), Text(where))
        out.print(table)
    other = _other_fields(price)
    if other:
        _say(out, "Not by the token")
        for name, value in other.items():
            _say(out, f"  {name}: {_readable(value)}")


def _readable(value: object) -> str:
    """A price, or prices by name, such as those of searches by the size of their context."""
    if isinstance(value, Mapping):
        names = [name.removeprefix("search_context_size_") for name in value]
        return ", ".join(f"{plain(name)} {_readable(each)}" for name, each in zip(names, value.values(), strict=True))
    return f"{value:.12f}".rstrip("0").rstrip(".") if isinstance(value, float) else plain(str(value))


def _own_rates(band: Band) -> Mapping[str, Rate]:
    """The classes with a field of their own; the others are billed as one of these."""
    seen: set[str] = set()
    own: dict[str, Rate] = {}
    for name, rate in band.rates.items():
        if rate.field not in seen:
            own[name] = rate
            seen.add(rate.field)
    return own


def price_as_json(price: Price) -> Mapping[str, Any]:
    """A price with its rates and its entry."""
    bands = (price.card.first, *reversed(price.card.longer))
    return {
        "key": price.key,
        "source": price.source,
        "date": price.date,
        "note": price.note,
        "rates": [_band_as_json(band) for band in bands],
        "entry": dict(price.entry),
    }


def _band_as_json(band: Band) -> Mapping[str, Any]:
    return {
        "above_tokens": band.above if band.above > 0 else None,
        "usd_per_token": {name: asdict(rate) for name, rate in band.rates.items()},
    }


def _other_fields(price: Price) -> Mapping[str, Any]:
    used = {rate.field for band in (price.card.first, *price.card.longer) for rate in band.rates.values()}
    return {
        name: value
        for name, value in price.entry.items()
        if "cost" in name and "_token" not in name and name not in used and value
    }


_WITHOUT_RECEIPT: Final = {
    "explicit": "given by hand, or by an imported log",
    "not_billed": "the provider refused or failed the call",
    "counted_elsewhere": "a gateway nearer to the provider counts it",
}
"""Costs that do not come from prices, and why."""


def show_receipts(call: Call, receipts: Receipts, out: Console) -> None:
    """The receipts of a call and whether they give the recorded cost."""
    cost = call.cost
    _say(
        out, f"Call {plain(call.id)}, {plain(call.provider)}, {plain(call.request_model or call.response_model or '')}"
    )
    why = plain(cost.note) if cost.note else _WITHOUT_RECEIPT.get(cost.status)
    _say(out, f"Recorded: {_usd(cost.total)} ({cost.status}{', ' + why if why else ''})")
    if cost.status in _WITHOUT_RECEIPT:
        if cost.total is None or not total_of(receipts):
            return
        _say(out, "By the price map it would be:")
    elif cost.price_source == "provider":
        _say(out, "The provider stated this cost; by the price map it would be:")
    for model, receipt in receipts:
        _show_receipt(model, receipt, out)
    total = total_of(receipts)
    if cost.price_source == "provider" or agrees(call, receipts):
        return
    recorded = _origin(cost.price_source, cost.price_date)
    _say(out, f"These prices give {_usd(total)}: they are not those of the call ({recorded})")


def _show_receipt(model: str, receipt: Receipt, out: Console) -> None:
    cost = receipt.cost
    if cost.price_key is None:
        _say(out, f"{plain(model)}: {plain(cost.note or UNKNOWN)}")
        return
    tier = f", {receipt.tier} tier" if receipt.tier else ""
    length = f", prompts above {receipt.above:,} tokens" if receipt.above else ""
    _say(out, f"{plain(cost.price_key)} ({_origin(cost.price_source, cost.price_date)}{tier}{length})")
    table = _table(("Units", "right"), ("Of", "left"), ("USD each", "right"), ("Amount", "right"), ("Field", "left"))
    for line in receipt.lines:
        where = f"{line.field} ({line.remark})" if line.remark else line.field
        table.add_row(
            f"{line.units:,g}" if line.units % 1 else f"{line.units:,.0f}",
            line.kind,
            _rate(line.usd),
            _usd(line.amount),
            Text(where),
        )
    table.add_row("", "total", "", _usd(cost.total), "")
    out.print(table)
    if cost.note:
        _say(out, plain(cost.note))


def receipts_as_json(call: Call, receipts: Receipts) -> Mapping[str, Any]:
    """The receipts of a call with the recorded cost."""
    return {
        "call": call.id,
        "recorded": asdict(call.cost),
        "total": total_of(receipts),
        "agrees": agrees(call, receipts),
        "receipts": [
            {
                "model": model,
                "tier": receipt.tier or None,
                "above_tokens": receipt.above,
                "cost": asdict(receipt.cost),
                "lines": [_line_as_json(line) for line in receipt.lines],
            }
            for model, receipt in receipts
        ],
    }


def _line_as_json(line: Line) -> Mapping[str, Any]:
    return asdict(line)


def total_of(receipts: Receipts) -> float | None:
    """The sum of the receipts; None where no price is known for one of them."""
    totals = [receipt.cost.total for _, receipt in receipts]
    return None if any(total is None for total in totals) else sum(total for total in totals if total is not None)


def agrees(call: Call, receipts: Receipts) -> bool:
    """Whether the receipts give the recorded cost. A cost that the provider stated, or that nobody is billed, needs no
    receipt."""
    cost = call.cost
    if cost.price_source == "provider" or cost.status in _WITHOUT_RECEIPT:
        return True
    total = total_of(receipts)
    if cost.total is None or total is None:
        return cost.total is None and (total is None or cost.status == "partial")
    return abs(cost.total - total) <= _CENT_OF_A_CENT


def _origin(source: str | None, date: str | None) -> str:
    return " of ".join(part for part in (source or "no price", date) if part)


def _usd(amount: float | None) -> str:
    return UNKNOWN if amount is None else f"${amount:.9f}".rstrip("0").rstrip(".")


def _rate(usd: float | None) -> str:
    return UNKNOWN if usd is None else f"{usd:.12f}".rstrip("0").rstrip(".")


def _table(*columns: tuple[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for head, justify in columns:
        table.add_column(head, justify=justify, overflow="fold")
    return table


def _say(out: Console, text: str) -> None:
    """Print a sentence; it is not broken, so that it can be searched and copied."""
    out.print(text, soft_wrap=True)
