"""``llmcost budget``: how budgets stand, limits at run time, and a policy tried on the calls of the past."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from llmcost import config
from llmcost.budgeting import controller_of
from llmcost.calls import Call
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.control import Budget, Controller, LedgerFailure, MapModels, budgets_of, enforced, simulate
from llmcost.control.money import nano_of_limit
from llmcost.control.plan import ANY, key_of
from llmcost.errors import ConfigError, StoreError
from llmcost.pricing import PriceBook
from llmcost.report.budgets import show_simulation, show_standings
from llmcost.report.words import plural
from llmcost.runtime import price_book
from llmcost.store.listing import all_calls
from llmcost.store.past import Past
from llmcost.store.query import Spend

app = typer.Typer(no_args_is_help=True, help="How budgets stand; limits at run time; a policy tried on past calls.")

NONE: Final = "none"
ForOption = Annotated[str | None, typer.Option("--for", metavar="VALUE", help="The value of the budget's scope.")]
Name = Annotated[str, typer.Argument(metavar="BUDGET", help="The name of a budget.")]


@app.command()
def status(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SCOPE=VALUE", help="Also budgets of this value: user=u1.")
    ] = None,
    zone: o.ZoneOption = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """How each budget stands. Exit code 1 where a limit is reached.

    Shown are budgets over all calls, every value that the settings name, and the values given by --only.
    """
    place, _ = o.zone_of(zone)
    controller, _ = _controller(store)
    rows = controller.status.standings(_pairs(only))
    controller.close()
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif rows:
        show_standings(rows, o.console(), place)
    else:
        print("No budget is about all calls or names a value: give one with --only, such as --only user=u1.")
    return FINDINGS if any(row.used_ratio >= 1 for row in rows if row.verified) else CLEAN


@app.command("set")
def set_limit(
    budget: Name,
    window: Annotated[str, typer.Argument(help="hourly, daily, weekly, monthly, total or a length, 24h.")],
    usd: Annotated[str, typer.Argument(metavar="USD", help=f"The new limit, or '{NONE}' to go back to the settings.")],
    value: ForOption = None,
    store: o.StoreOption = None,
) -> None:
    """Change a limit in the ledger: all programs obey it within seconds, and until it is taken back.

    Without --for it holds for every value that the settings name no limit for.
    """
    controller, _ = _controller(store)
    chosen = _named(controller, budget)
    if chosen.scope == "global" and value is not None:
        raise ConfigError(f"--for: budget {budget!r} is about all calls")
    kind = _kind(chosen, value, window)
    whose = value if value is not None else "" if chosen.scope == "global" else ANY
    _in_ledger(controller, lambda: controller.ledger.set_limit(key_of(chosen, whose, kind), _nano(usd)))
    shown = "the limit of the settings" if usd == NONE else f"${usd}"
    whom = f" for {chosen.scope} {value}" if value is not None else ""
    print(f"{budget}, {kind}{whom}: {shown}, in all programs within 5 seconds.")


@app.command()
def reset(
    budget: Name,
    value: ForOption = None,
    window: Annotated[str | None, typer.Option(help="Only this window.")] = None,
    store: o.StoreOption = None,
) -> None:
    """Begin the windows of a budget anew: what was spent so far no longer counts there.

    Reports and forecasts keep it, and calls in flight stay held.
    """
    controller, _ = _controller(store)
    chosen = _named(controller, budget)
    prefix = f"{chosen.name}|{chosen.scope}="
    if value is not None or chosen.scope == "global":
        prefix = key_of(chosen, value or "", _kind(chosen, value, window) if window else "")
    elif window is not None:
        raise ConfigError("--window: give the value too, with --for")
    slots = _in_ledger(controller, lambda: controller.ledger.reset(prefix))
    print(f"{budget}: {plural(slots, 'window')} begun anew.")


@app.command("simulate")
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
        stored = _with_progress(all_calls(connection, wanted), Spend(connection, wanted, place).total.calls, as_json)
        found = simulate(budgets, past.calls(stored), past.reprice)
    if as_json:
        document = asdict(found)
        document["affected"] = [
            {"budget": budget, "value": value, **asdict(row)} for (budget, value), row in found.affected.items()
        ]
        print(json.dumps({**document, "saved": found.saved, "refused_then": past.refused, "unit": "USD * 10^-9"}))
    else:
        show_simulation(found, past.refused, o.console())
    return FINDINGS if found.calls["degrade"] + found.calls["block"] else CLEAN


def _controller(store: Path | None) -> tuple[Controller, config.Config]:
    settings = config.load()
    if not settings.budgets:
        raise ConfigError("budgets: none is set; write [[budgets]] in llmcost.toml")
    return controller_of(settings, price_book(settings), o.store_folder(store).root), settings


def _policy(path: Path | None, prices: PriceBook) -> tuple[Budget, ...]:
    if path is None:
        budgets = config.load().budgets
    else:
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise ConfigError(f"--policy: {path}: {exc}") from None
        table = document.get("tool", {}).get("llmcost", document)
        budgets = budgets_of(table.get("budgets", []), MapModels(prices), f"{path}: budgets")
    if not budgets:
        raise ConfigError("budgets: none is set; write [[budgets]] in llmcost.toml, or give --policy FILE")
    return tuple(budgets)


def _named(controller: Controller, name: str) -> Budget:
    for budget in controller.budgets:
        if budget.name == name:
            return budget
    raise ConfigError(f"no budget {name!r}; known: {', '.join(budget.name for budget in controller.budgets)}")


def _kind(budget: Budget, value: str | None, window: str) -> str:
    """The name of a window in the ledger."""
    limits = budget.limits_of(value or "")
    kinds = {name: name for name in limits.amounts()} | {text: f"rolling {text}" for text in limits.rolling}
    if window not in kinds:
        raise ConfigError(f"budget {budget.name!r} has no window {window!r}; it has {', '.join(kinds) or 'none'}")
    return kinds[window]


def _nano(usd: str) -> int | None:
    if usd == NONE:
        return None
    try:
        return nano_of_limit(float(usd))
    except (ValueError, OverflowError):
        raise ConfigError(f"{usd!r} is no amount in USD") from None


def _pairs(given: Iterable[str] | None) -> dict[str, str]:
    values = {}
    for pair in given or ():
        scope, sign, value = pair.partition("=")
        if not sign or not scope:
            raise ConfigError(f"--only: {pair!r} is not SCOPE=VALUE")
        values[scope] = value
    return values


def _in_ledger(controller: Controller, work: Any) -> Any:
    try:
        return work()
    except LedgerFailure as failure:
        raise StoreError(str(failure)) from None
    finally:
        controller.close()


def _with_progress(calls: Iterable[Call], total: int, quiet: bool) -> Iterable[Call]:
    console = o.console(stderr=True)
    if quiet or not console.is_terminal:
        return calls
    from rich.progress import track

    return track(calls, "Replaying calls", total, console=console)
