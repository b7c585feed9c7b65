"""How budgets stand, and what a policy would have done, in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmcost.calls import nano_dollars
from llmcost.control import Budget, Simulation, Standing
from llmcost.control.plan import ROLLING
from llmcost.control.policy import Action
from llmcost.report.terminal import drawn_bar
from llmcost.report.words import count, decimals, money, percent, plain, plural
from llmcost.store.past import Past

_BAR: Final = 10
_MOST: Final = 15
_WORDS: Final[tuple[tuple[Action, str], ...]] = (
    ("warn", "warned"),
    ("degrade", "sent to a smaller model"),
    ("block", "refused"),
)


def show_standings(rows: Sequence[Standing], budgets: Sequence[Budget], out: Console) -> None:
    """A table for each budget, with a line for each window: a bar, the amounts, and the time at which it begins anew,
    by the budget's own zone."""
    for budget in budgets:
        own = [row for row in rows if row.budget == budget.name]
        if not own:
            continue
        per = "" if budget.scope == "global" else f"by {plain(budget.scope)}, "
        out.print(Text(plain(budget.name), "bold").append(f"  {per}mode {budget.mode}, {budget.timezone}", "dim"))
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=24)
        for justify in ("left", "left", "right", "left", "left"):
            table.add_column(justify=justify, no_wrap=True)
        for before, row in zip([None, *own], own, strict=False):
            again = before is not None and before.value == row.value
            table.add_row(
                Text("" if again else f"  {plain(row.value) if row.value else 'all'}"), *_cells(row, budget, out)
            )
        out.print(table)
    if not rows:
        out.print("Nothing is counted yet: no budget is about all calls, and nobody has spent.")


def most_used(rows: Sequence[Standing], most: int) -> list[Standing]:
    """The rows of so many values a budget, the most used first."""
    peak: dict[tuple[str, str], float] = {}
    for row in rows:
        peak[row.budget, row.value] = max(row.used_ratio, peak.get((row.budget, row.value), 0.0))
    taken: Counter[str] = Counter()
    kept: dict[tuple[str, str], int] = {}
    for whose in sorted(peak, key=lambda whose: -peak[whose]):
        taken[whose[0]] += 1
        if taken[whose[0]] <= most:
            kept[whose] = len(kept)
    return sorted((row for row in rows if (row.budget, row.value) in kept), key=lambda r: kept[r.budget, r.value])


def told(row: Standing | None, *, spent: bool = False) -> str:
    """The limit of a window in words, or what was spent in it."""
    if row is None:
        return "no limit"
    if row.limit is None:
        return plural(row.max_calls or 0, "call")
    return money(nano_dollars(row.spent if spent else row.limit), decimals(nano_dollars(row.limit)))


def show_simulation(found: Simulation, past: Past, out: Console) -> None:
    """What a policy would have done to the calls of the past, and to whom."""
    calls = sum(found.calls.values())
    out.print(f"{plural(calls, 'call')}, {money(found.spent_then)} spent")
    for action, words in _WORDS:
        number = found.calls[action]
        out.print(f"  {count(number):>7} {words}{_share(number, calls)}")
    out.print(f"With this policy {money(found.spent_now)}, {money(found.saved)} less.")
    if found.unpriced:
        out.print(f"{plural(found.unpriced, 'call')} without a known cost: not in these sums.")
    if past.left_out:
        out.print(f"{plural(past.left_out, 'call')} refused by a budget then: left out, their cost is not known.")
    guessed = past.refused - past.left_out
    if guessed:
        out.print(f"{plural(guessed, 'call')} refused by a budget then: with the cost guessed then.")
    if past.guessed:
        out.print(f"{plural(past.guessed, 'call')} recorded without budgets: near a limit one may differ.")
    if found.affected:
        out.print()
        out.print(_affected(found))
        if len(found.affected) > _MOST:
            out.print(f"{len(found.affected) - _MOST:,} more; --json has all.")


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
    return table


def _share(number: int, calls: int) -> str:
    return f" ({percent(number / calls)})" if number else ""


def _cells(row: Standing, budget: Budget, out: Console) -> list[Text]:
    if not row.verified:
        return [Text(row.window), Text("?" * _BAR), Text("?"), Text("the ledger cannot be read"), Text("")]
    shares = budget.thresholds
    style = "red" if row.used_ratio >= shares.block else "yellow" if row.used_ratio >= shares.warn else "cyan"
    return [
        Text(row.window),
        Text(drawn_bar(min(row.used_ratio, 1.0), _BAR, ascii_only=out.options.ascii_only).ljust(_BAR), style),
        Text(percent(row.used_ratio)),
        Text(_amounts(row)),
        Text(_anew(row), "dim"),
    ]


def _amounts(row: Standing) -> str:
    mark = " (set)" if row.changed else ""
    if row.limit is None:
        return f"{count(row.calls)} of {count(row.max_calls or 0)} calls{mark}"
    places = decimals(nano_dollars(row.limit))
    spent, held, limit = (money(nano_dollars(amount), places) for amount in (row.spent, row.held, row.limit))
    return f"{spent}{f' + {held} held' if row.held else ''} of {limit}{mark}"


def _anew(row: Standing) -> str:
    if row.resets_at is None:
        return ""
    if row.window.startswith(ROLLING):
        return "bit by bit"
    return f"to {datetime.fromtimestamp(row.resets_at, ZoneInfo(row.timezone)):%d %b %H:%M}"
