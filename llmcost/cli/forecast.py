"""``llmcost forecast``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmcost import config
from llmcost.budgeting import folder_of
from llmcost.calls import nano_dollars
from llmcost.cli import options as o
from llmcost.cli.budget import desk
from llmcost.cli.foresight import is_shared, known_feed
from llmcost.control import Budget, Standing
from llmcost.errors import ConfigError, StoreError
from llmcost.insight import CostPrediction, NotEnoughHistory
from llmcost.processors.outlook import LEDGER_FILE
from llmcost.report.budgets import most_used
from llmcost.report.fan import ASCII, UNICODE, fan, legend
from llmcost.report.outlook import Outlook, Past, budget_outlooks, period_of, standing_outlooks
from llmcost.report.pasts import LedgerPast, StorePast
from llmcost.report.words import money, percent, plain

_MOST: Final = 10
_KINDS: Final = ("label", "user", "model")


def forecast(
    by: Annotated[str | None, typer.Option("--by", help="Apart by label, user or model.")] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="NAME", help="Against this budget, in its own windows.")
    ] = None,
    horizon: Annotated[
        str, typer.Option("--horizon", metavar="month|DAYS", help="The present month, or so many days from now.")
    ] = "month",
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME", help="Only this section.")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model.")] = None,
    user: Annotated[list[str] | None, typer.Option("--user", metavar="NAME", help="Only this user.")] = None,
    zone: o.ZoneOption = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> None:
    """What the month will cost, with how sure that is; or that the history is too short to say."""
    place, _ = o.zone_of(zone)
    now = datetime.now(place)
    values = _values(label=label, model=model, user=user)
    with _past(store, now) as past:
        found = _of_budget(past, budget, store, by, values) if budget is not None else _found(past, by, horizon, values)
        place = past.zone
    if as_json:
        print(json.dumps({"now": now.timestamp(), "outlooks": [_document(one) for one in found]}, indent=2))
        return
    console = o.console()
    if by is not None and found:
        console.print(_table(found, by))
    for one in found if by is None else ():
        _show(console, one, place)
    if not found:
        console.print("No calls to forecast from." if by is None else f"No call of late names a {by}.")
    elif isinstance(past, LedgerPast):
        console.print(Text("From the ledger: the calls of all machines, in days of UTC.", "dim"))


@contextmanager
def _past(option: Path | None, now: datetime) -> Iterator[Past]:
    """The ledger where one is set and knows of calls; else the store, or the ledger in its folder where that is all."""
    if is_shared(option) or not o.store_folder(option).exists:
        with known_feed(option) as feed:
            if feed is not None:
                yield LedgerPast(feed, now)
                return
    with o.opened(option) as connection:
        yield StorePast(connection, now)


def _values(**given: Sequence[str] | None) -> dict[str, str]:
    values = {}
    for name, chosen in given.items():
        if chosen and len(chosen) > 1:
            raise ConfigError(f"--{name}: one only; for several apart, --by {name}")
        if chosen:
            values[name] = chosen[0]
    return values


def _found(past: Past, by: str | None, horizon: str, values: dict[str, str]) -> list[Outlook]:
    period = period_of(horizon, datetime.fromtimestamp(past.now, past.zone))
    if by is None:
        return [past.outlook(" and ".join(values) or "global", values, period)]
    if by not in _KINDS:
        raise ConfigError(f"--by: {by!r} is none of {', '.join(_KINDS)}")
    return [past.outlook(by, {**values, by: name}, period) for name in past.names(by, _MOST)]


def _of_budget(past: Past, name: str, option: Path | None, by: str | None, values: dict[str, str]) -> list[Outlook]:
    """As the ledger of the budgets counts it; where nothing is counted yet, as the past would have been."""
    if by or values:
        raise ConfigError("--budget: a budget has its own scope; leave --by, --label, --model and --user out")
    budget = _budget(name)
    return standing_outlooks(past, _standings(budget, option)) or budget_outlooks(past, budget, _MOST)


def _budget(name: str) -> Budget:
    budgets = config.load().budgets
    for budget in budgets:
        if budget.name == name:
            return budget
    known = ", ".join(budget.name for budget in budgets) or "none is set"
    raise ConfigError(f"--budget: no budget {name!r}; known: {known}")


def _standings(budget: Budget, option: Path | None) -> list[Standing]:
    """How the budget stands, its most used values only; empty where a store is named, or there is no ledger yet."""
    settings = config.load()
    if option is not None or not (is_shared(option) or (folder_of(settings) / LEDGER_FILE).exists()):
        return []
    with desk(None) as at:
        reader = at.controller.status
        rows = [row for row in reader.standings({}, reader.everybody()) if row.budget == budget.name]
    if not all(row.verified for row in rows):
        raise StoreError("the ledger cannot be read now")
    return most_used(rows, _MOST)


# --- words ------------------------------------------------------------------------------------------------------


def _show(console: Console, one: Outlook, zone: tzinfo) -> None:
    console.print(Text(_title(one, zone), "bold"))
    for line in _sentences(one, zone):
        console.print(Text(line))
    if isinstance(one.total, CostPrediction) and len(one.days) > 1:
        marks = UNICODE if "utf" in (console.encoding or "").lower() else ASCII
        console.print()
        for line in fan(one.days, one.limit, min(console.width, 100), marks):
            console.print(Text(line, no_wrap=True, overflow="crop"))
        console.print(Text(legend(marks, one.limit), "dim"))
    console.print()


def _title(one: Outlook, zone: tzinfo) -> str:
    whose = "all calls" if not one.name else f"{one.kind} {plain(one.name)}"
    what = f"Budget {one.budget}, {one.window}: " if one.budget else ""
    return f"{what}{whose}, {_when(one.start, zone)} to {_when(one.end, zone)}"


def _sentences(one: Outlook, zone: tzinfo) -> list[str]:
    total = one.total
    to_come = one.budget is None and one.spent == 0
    spent = "" if to_come else f"Spent so far {_usd(one.spent)}. "
    if isinstance(total, NotEnoughHistory):
        known = [spent.strip()] if spent else []
        return [*known, f"Not enough history to say more: {total.days} of {total.needed} whole days."]
    end = one.days[-1]
    inner, outer = f"{_usd(end.lower80)} to {_usd(end.upper80)}", f"{_usd(total.lower)} to {_usd(total.upper)}"
    verb = "It will cost" if to_come else "It will end at"
    lines = [f"{spent}{verb} {_usd(total.mean)} (80 %: {inner}; 95 %: {outer})."]
    if one.limit is not None and total.risk_score is not None:
        lines.append(f"{percent(total.risk_score)} chance to pass the limit of {_usd(one.limit)}.{_used_up(one, zone)}")
    return lines


def _used_up(one: Outlook, zone: tzinfo) -> str:
    found = one.exhaustion
    if found is None or isinstance(found, NotEnoughHistory):
        return ""
    if one.limit is not None and one.spent is not None and one.spent >= one.limit:
        return " It is used up."
    if found.expected is None:
        early = "" if found.earliest is None else f", though perhaps on {_when(found.earliest - 1, zone)}"
        return f" It will last{early}."
    early = "" if found.earliest in (None, found.expected) else f", perhaps on {_when((found.earliest or 0) - 1, zone)}"
    return f" At this rate it is used up on {_when(found.expected - 1, zone)}{early}."


def _table(found: Sequence[Outlook], by: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column(by.capitalize(), no_wrap=True, overflow="ellipsis", max_width=24)
    for head in ("So far", "At the end", "80 %", "95 %"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in found:
        cells = [plain(one.name), _usd(one.spent)]
        if isinstance(one.total, NotEnoughHistory):
            cells += [f"{one.total.days} of {one.total.needed} days known", "", ""]
        else:
            end = one.days[-1]
            bands = ((end.lower80, end.upper80), (one.total.lower, one.total.upper))
            cells += [_usd(one.total.mean), *(f"{_usd(low)}-{_usd(high)}" for low, high in bands)]
        table.add_row(*map(Text, cells))
    return table


def _usd(amount: float | None) -> str:
    if amount is None:
        return "unknown"
    return money(nano_dollars(amount), 0 if amount >= 1000 else None)


def _when(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d}"


def _document(one: Outlook) -> dict[str, Any]:
    document = asdict(one)
    if isinstance(one.total, NotEnoughHistory):
        document["total"] = None
        document["not_enough_history"] = asdict(one.total)
        document["days"] = [asdict(day) for day in one.days if day.known]
    if isinstance(one.exhaustion, NotEnoughHistory):
        document["exhaustion"] = None
    for name in ("start", "end"):
        document[name] = datetime.fromtimestamp(document[name], UTC).isoformat()
    return document
