"""``llmcost budget simulate``: a policy tried on the calls of the past."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from llmcost import config
from llmcost.calls import Call
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.control import Budget, MapModels, budgets_of, enforced, simulate
from llmcost.errors import ConfigError, reason
from llmcost.pricing import PriceBook
from llmcost.report.budgets import show_simulation
from llmcost.runtime import price_book
from llmcost.store.listing import by_start
from llmcost.store.past import Past
from llmcost.store.query import Spend


def simulation(
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with [[budgets]]; the settings by default.")
    ] = None,
    since: o.SinceOption = "30d",
    until: o.UntilOption = None,
    zone: o.ZoneOption = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """Put the calls of the past before a policy: who would have been warned, degraded, refused, and the money.

    Budgets in mode "observe" are taken as if they blocked. Exit code 1 where any call would not have passed as it was.
    """
    place, _ = o.zone_of(zone)
    prices = price_book(config.load())
    budgets = enforced(_policy(policy, prices))
    past = Past(prices)
    with o.opened(store) as connection:
        wanted = o.filter_of(connection, o.selection(since, until, zone, None), place)
        stored = _with_progress(by_start(connection, wanted), Spend(connection, wanted, place).total.calls, as_json)
        found = simulate(budgets, past.calls(stored))
    if as_json:
        document = asdict(found)
        document["affected"] = [
            {"budget": budget, "value": value, **asdict(row)} for (budget, value), row in found.affected.items()
        ]
        then = {"refused_then": past.refused, "left_out": past.left_out, "guessed": past.guessed}
        print(json.dumps({**document, "saved": found.saved, **then, "unit": "USD * 10^-9"}))
    else:
        show_simulation(found, past, o.console())
    return FINDINGS if found.calls["degrade"] + found.calls["block"] else CLEAN


def _policy(path: Path | None, prices: PriceBook) -> tuple[Budget, ...]:
    if path is None:
        budgets = config.load().budgets
    else:
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise ConfigError(f"--policy: {path}: {reason(exc)}") from None
        table = document.get("tool", {}).get("llmcost", document)
        budgets = budgets_of(table.get("budgets", []), MapModels(prices), f"{path}: budgets")
    if not budgets:
        raise ConfigError("budgets: none is set; write [[budgets]] in llmcost.toml, or give --policy FILE")
    return tuple(budgets)


def _with_progress(calls: Iterable[Call], total: int, quiet: bool) -> Iterable[Call]:
    console = o.console(stderr=True)
    if quiet or not console.is_terminal:
        return calls
    from rich.progress import track

    return track(calls, "Replaying calls", total, console=console)
