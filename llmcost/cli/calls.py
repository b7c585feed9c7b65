"""``llmcost calls``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from llmcost.calls import Call, nano_dollars
from llmcost.cli import options as o
from llmcost.report.words import TRUST_WORDS, UNKNOWN, count, plain, plural, small_money
from llmcost.store.listing import newest
from llmcost.store.query import Spend

_WIDE: Final = 100
"""Columns from which sections and models have more room."""
_INDENT: Final = 13
_REFUSED: Final = 400


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
        _show(o.console(), found, place)
        if total > len(found):
            o.console().print(Text(f"The newest {len(found):,} of {plural(total, 'call')}; --limit shows more.", "dim"))


def _show(console: Console, found: Sequence[Call], zone: tzinfo) -> None:
    """A line for each call, and one more in full for what went wrong."""
    if not found:
        console.print(Text("No calls."))
        return
    head, *lines = console.render_lines(_table(found, zone, wide=console.width >= _WIDE), pad=False)
    console.print(Segments([*head, Segment.line()]), end="")
    for line, call in zip(lines, found, strict=True):
        console.print(Segments([*line, Segment.line()]), end="")
        if call.error_type is not None:
            console.print(Padding(Text(_failure(call), "red"), (0, 0, 0, _INDENT), expand=False))
    if any(map(_is_inexact, found)):
        told = "~ not exact, or given by hand; llmcost prices explain CALL says more."
        console.print(Text(told, "dim"))


def _table(found: Sequence[Call], zone: tzinfo, *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for head, width in (("Started", 11), ("Section", 40 if wide else 16), ("Model", 40 if wide else 17)):
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
            Text(f"{call.duration:.1f}s" if call.duration else UNKNOWN),
            Text(plain(call.id[-8:]), "dim"),
        )
    return table


def _cost(call: Call) -> str:
    """The cost, or why there is none."""
    if call.cost.total is None:
        return TRUST_WORDS.get(call.cost.status, call.cost.status)
    return small_money(nano_dollars(call.cost.total)) + ("~" if _is_inexact(call) else "")


def _is_inexact(call: Call) -> bool:
    return call.cost.total is not None and call.cost.status != "priced"


def _failure(call: Call) -> str:
    """What went wrong: the error's type, and the status and code that it came with."""
    status = f"HTTP {call.status_code}"
    kind = plain(call.error_type or "error")
    kind = f"HTTP {kind}" if kind.isdecimal() else kind
    more = [status] if kind != status and (call.status_code or 0) >= _REFUSED else []
    if call.error_code is not None:
        more.append(f"code {plain(call.error_code)}")
    if call.budget_action == "block":
        more.append(f"refused by budget {plain(call.budget_name or '')}")
    return f"{kind} ({', '.join(more)})" if more else kind
