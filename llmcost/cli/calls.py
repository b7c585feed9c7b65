"""``llmcost calls``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Annotated, Final

import typer
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from llmcost.calls import Call, nano_dollars
from llmcost.cli import options as o
from llmcost.report.words import TRUST_WORDS, UNKNOWN, count, plain, plural, small_money
from llmcost.store.listing import newest
from llmcost.store.query import Spend

_HEADS: Final = ("Started", "Section", "Model", "Cost", "Tokens", "Time", "Call")
_NAMES: Final = slice(1, 3)
"""The columns whose values are as long as they like."""
_NARROWEST: Final = 11
_GAP: Final = 2
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
    head, *lines = console.render_lines(_table(found, zone, console.width), pad=False)
    console.print(Segments([*head, Segment.line()]), end="")
    for line, call in zip(lines, found, strict=True):
        console.print(Segments([*line, Segment.line()]), end="")
        if call.error_type is not None:
            console.print(Padding(Text(_failure(call), "red"), (0, 0, 0, _INDENT), expand=False))
    if any(map(_is_inexact, found)):
        told = "~ not exact, or given by hand; llmcost prices explain CALL says more."
        console.print(Text(told, "dim"))


def _table(found: Sequence[Call], zone: tzinfo, width: int) -> Table:
    """A row for each call, no wider than ``width`` columns: what is left by the rest is shared by section and model."""
    rows = [_cells(call, zone) for call in found]
    widths = [max(map(cell_len, column)) for column in zip(_HEADS, *rows, strict=True)]
    room = max(2 * _NARROWEST, width - sum(widths[_NAMES.stop :]) - widths[0] - _GAP * (len(_HEADS) - 1))
    section, model = widths[_NAMES]
    given = min(section, max(room // 2, room - model))
    widths[_NAMES] = given, min(model, room - given)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for place, (head, size) in enumerate(zip(_HEADS, widths, strict=True)):
        side: JustifyMethod = "left" if place < _NAMES.stop else "right"
        table.add_column(head, justify=side, no_wrap=True, overflow="ellipsis", width=size)
    for call, cells in zip(found, rows, strict=True):
        *texts, cost, tokens, time, call_id = map(Text, cells)
        cost.stylize("red" if call.error_type else "")
        call_id.stylize("dim")
        table.add_row(*texts, cost, tokens, time, call_id)
    return table


def _cells(call: Call, zone: tzinfo) -> tuple[str, ...]:
    return (
        f"{datetime.fromtimestamp(call.started_ns / 1e9, zone):%m-%d %H:%M}",
        plain(call.label),
        plain(call.request_model or call.response_model or ""),
        _cost(call),
        UNKNOWN if call.usage.total_tokens is None else count(call.usage.total_tokens),
        f"{call.duration:.1f}s" if call.duration else UNKNOWN,
        plain(call.id[-8:]),
    )


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
