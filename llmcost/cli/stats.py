"""``llmcost stats``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from llmcost.calls import nano_dollars
from llmcost.cli import options as o
from llmcost.report.build import values_of_no_call
from llmcost.report.words import UNKNOWN, decimals, money, plain, plural, small_money, tokens
from llmcost.store.filters import Filter
from llmcost.store.query import Spend
from llmcost.store.stats import Stats, days_ago, summary


def stats(
    days: Annotated[int, typer.Option(min=1, help="How far to look back.")] = 30,
    user: Annotated[str | None, typer.Option(help="Only this user.")] = None,
    zone: o.ZoneOption = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> None:
    """Sums of the last days, of everyone or of one user."""
    place, _ = o.zone_of(zone)
    wanted = Filter(since=days_ago(days, datetime.now(place)), values={} if user is None else {"user": (user,)})
    with o.opened(store) as connection:
        spend = Spend(connection, wanted, place)
        found, notes = summary(spend, user, days), values_of_no_call(spend)
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        o.console().print(_table(found))
        for note in notes:
            o.console().print(Text(plain(note), "yellow"))


def _table(found: Stats) -> Table:
    whose = "" if found.user_id is None else f" of {plain(found.user_id)}"
    table = Table(box=None, show_header=False, pad_edge=False, title=None)
    digits = decimals(None if found.cost is None else nano_dollars(found.cost))
    a_day = None if found.cost is None else found.cost / found.days
    rows = (
        ("Cost", f"{_sum(found.cost)} in {plural(found.days, 'day')}{whose}"),
        ("Calls", f"{found.calls:,}, {plural(found.errors, 'error')}, {found.unpriced:,} of unknown cost"),
        ("A call", f"{_amount(found.average)} average, {_amount(found.p95)} p95"),
        (
            "Tokens",
            UNKNOWN
            if found.input_tokens is None
            else f"{tokens(found.input_tokens)} in, {tokens(found.cached_tokens)} cached,"
            f" {tokens(found.output_tokens)} out",
        ),
        ("Sections", _dearest(found.by_label, digits)),
        ("Models", _dearest(found.by_model, digits)),
        ("A day", f"{_sum(a_day, digits)} on average"),
    )
    for name, value in rows:
        table.add_row(Text(name, "bold"), Text(value))
    return table


def _sum(usd: float | None, digits: int | None = None) -> str:
    return "unknown" if usd is None else money(nano_dollars(usd), digits)


def _amount(usd: float | None) -> str:
    return UNKNOWN if usd is None else small_money(nano_dollars(usd))


def _dearest(usd_by_name: Mapping[str, float | None], digits: int) -> str:
    pairs = list(usd_by_name.items())[:3]
    return ", ".join(f"{plain(name)} {_sum(usd, digits)}" for name, usd in pairs) or UNKNOWN
