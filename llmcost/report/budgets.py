"""How budgets stand, and what a policy would have done, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmcost.calls import nano_dollars
from llmcost.control import Simulation
from llmcost.control.policy import Action
from llmcost.control.status import Standing
from llmcost.report.terminal import drawn_bar
from llmcost.report.words import count, money, percent, plain, plural

_BAR: Final = 12
_MOST: Final = 15
_WORDS: Final[tuple[tuple[Action, str], ...]] = (
    ("warn", "warned"),
    ("degrade", "sent to a smaller model"),
    ("block", "refused"),
)


def show_standings(rows: Sequence[Standing], out: Console, zone: tzinfo) -> None:
    """A line for each window of each budget, with a bar and the time at which it begins anew."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for head in ("Budget", "For"):
        table.add_column(head, no_wrap=True, overflow="ellipsis", max_width=20)
    table.add_column("Window", no_wrap=True)
    table.add_column("", no_wrap=True)
    for head in ("Used", "Spent", "Limit"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("Begins anew", no_wrap=True)
    for row in rows:
        drawn = Text(drawn_bar(min(row.used_ratio, 1.0), _BAR, ascii_only=out.options.ascii_only), _colour(row))
        texts = (*_used(row), _anew(row, zone))
        table.add_row(Text(plain(row.budget)), Text(_whose(row)), Text(row.window), drawn, *map(Text, texts))
    out.print(table)
    for row in rows:
        if not row.verified:
            out.print(Text(f"{plain(row.budget)}: the ledger cannot be read; these numbers mean nothing", "red"))
            break


def show_simulation(found: Simulation, refused: int, out: Console) -> None:
    """What a policy would have done to the calls of the past, and to whom."""
    calls = sum(found.calls.values())
    out.print(f"{plural(calls, 'call')}, {money(found.spent_then)} spent")
    for action, words in _WORDS:
        number = found.calls[action]
        out.print(f"  {count(number):>7} {words}{_share(number, calls)}")
    out.print(f"With this policy {money(found.spent_now)}, {money(found.saved)} less.")
    if found.unpriced:
        out.print(f"{plural(found.unpriced, 'call')} without a known cost: not in these sums.")
    if refused:
        out.print(f"{plural(refused, 'call')} refused by a budget then: left out, their cost is not known.")
    if found.affected:
        out.print()
        out.print(_affected(found))


def _affected(found: Simulation) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for head in ("Budget", "For"):
        table.add_column(head, no_wrap=True, overflow="ellipsis", max_width=24)
    for head in ("Warned", "Smaller model", "Refused", "Less by"):
        table.add_column(head, justify="right", no_wrap=True)
    rows = sorted(found.affected.items(), key=lambda item: (-item[1].saved, -sum(item[1].calls.values()), item[0]))
    for (budget, value), row in rows[:_MOST]:
        numbers = [count(row.calls[action]) for action, _ in _WORDS]
        table.add_row(Text(plain(budget)), Text(plain(value) if value else "all"), *numbers, money(row.saved))
    if len(rows) > _MOST:
        table.add_row(Text(f"and {len(rows) - _MOST:,} more; --json has all", "dim"))
    return table


def _share(number: int, calls: int) -> str:
    return f" ({percent(number / calls)})" if number else ""


def _whose(row: Standing) -> str:
    return "all" if not row.value else f"{plain(row.scope)} {plain(row.value)}"


def _used(row: Standing) -> tuple[str, str, str]:
    if row.limit is None:
        return percent(row.used_ratio), count(row.calls), f"{count(row.max_calls or 0)} calls"
    spent = _usd(row.spent) + (f" +{_usd(row.held)}" if row.held else "")
    return percent(row.used_ratio), spent, _usd(row.limit)


def _usd(amount: float) -> str:
    return money(nano_dollars(amount), None if amount else 2)


def _anew(row: Standing, zone: tzinfo) -> str:
    return "never" if row.resets_at is None else f"{datetime.fromtimestamp(row.resets_at, zone):%Y-%m-%d %H:%M}"


def _colour(row: Standing) -> str:
    return "red" if row.used_ratio >= 1 else "yellow" if row.used_ratio >= 0.8 else "cyan"
