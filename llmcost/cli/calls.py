"""``llmcost calls``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from llmcost.calls import Call, nano_dollars
from llmcost.cli import options as o
from llmcost.report.words import UNKNOWN, count, plain, plural, small_money
from llmcost.store.listing import newest
from llmcost.store.query import Spend


@o.selecting
def calls(
    chosen: o.Selection,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> None:
    """List single calls, the newest first."""
    place, _ = o.zone_of(chosen.zone)
    with o.opened(store) as connection:
        wanted = o.filter_of(connection, chosen, place)
        found = list(newest(connection, wanted, limit))
        total = Spend(connection, wanted, place).total.calls
    if as_json:
        print(json.dumps([asdict(call) for call in found], indent=2))
    else:
        o.console().print(_table(found, place) if found else Text("No calls."))
        if total > len(found):
            o.console().print(Text(f"The newest {len(found):,} of {plural(total, 'call')}; --limit shows more.", "dim"))


def _table(found: Sequence[Call], zone: tzinfo) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for head, width in (("Started", 11), ("Section", 16), ("Model", 17)):
        table.add_column(head, no_wrap=True, overflow="ellipsis", min_width=11, max_width=width)
    for head, width in (("Cost", 11), ("Tokens", 6), ("Time", 6), ("Call", 8)):
        table.add_column(head, justify="right", no_wrap=True, min_width=width)
    for call in found:
        started = datetime.fromtimestamp(call.started_ns / 1e9, zone)
        table.add_row(
            Text(f"{started:%m-%d %H:%M}"),
            Text(plain(call.label)),
            Text(plain(call.request_model or call.response_model or "")),
            Text(_cost(call), "red" if call.error_type else ""),
            Text(UNKNOWN if call.usage.total_tokens is None else count(call.usage.total_tokens)),
            Text(f"{call.duration:.1f}s"),
            Text(plain(call.id[-8:]), "dim"),
        )
    return table


def _cost(call: Call) -> str:
    """The cost, or why there is none."""
    if call.error_type is not None:
        return f"error {plain(call.error_type)}"[:11]
    if call.cost.total is None:
        return call.cost.status
    return small_money(nano_dollars(call.cost.total)) + ("" if call.cost.status == "priced" else "~")
