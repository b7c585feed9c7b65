"""``llmcost budget``: how budgets stand, limits at run time, and a policy tried on the calls of the past."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import typer

from llmcost import config
from llmcost.budgeting import WAITING, folder_of, ledger_url
from llmcost.cli import CLEAN, FAILED, FINDINGS
from llmcost.cli import options as o
from llmcost.cli.budget_simulate import simulation
from llmcost.control import Budget, Controller, LedgerFailure, Standing, open_ledger
from llmcost.control.changes import change_limit, kind_of
from llmcost.control.controller import LOOK_EVERY_S
from llmcost.control.ledger.journal import left_in
from llmcost.control.plan import owner_of
from llmcost.errors import ConfigError, StoreError
from llmcost.report.budgets import most_used, show_standings, told
from llmcost.report.words import plural

app = typer.Typer(no_args_is_help=True, help="How budgets stand; limits at run time; a policy tried on past calls.")
app.command("simulate")(simulation)

NONE: Final = "none"
ForOption = Annotated[str | None, typer.Option("--for", metavar="VALUE", help="The value of the budget's scope.")]
Name = Annotated[str, typer.Argument(metavar="BUDGET", help="The name of a budget.")]
_PATIENCE: Final = "wait_ms=2000"
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Desk:
    """The budgets of the settings over their ledger, for people, who can wait longer than calls."""

    controller: Controller
    folder: Path

    def budget(self, name: str, value: str | None = None) -> Budget:
        """The budget of that name.

        Raises:
            ConfigError: there is none, or it has no values.
        """
        budgets = {budget.name: budget for budget in self.controller.budgets}
        if name not in budgets:
            near = difflib.get_close_matches(name, budgets, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(budgets)}"
            raise ConfigError(f"no budget {name!r}; {hint}")
        if value is not None and budgets[name].scope == "global":
            raise ConfigError(f"--for: budget {name!r} is about all calls")
        return budgets[name]


@contextmanager
def desk(store: Path | None) -> Iterator[Desk]:
    """Open the ledger of the settings.

    Raises:
        ConfigError: there are no budgets, or their ledger lives in another process.
        StoreError: the ledger cannot be reached.
    """
    settings = config.load()
    if not settings.budgets:
        raise ConfigError("budgets: none is set; write [[budgets]] in llmcost.toml")
    folder = store or folder_of(settings)
    url = ledger_url(settings, folder)
    if url.startswith("memory:"):
        raise ConfigError("ledger: memory:// is inside the program; ask llmcost.budget_status() there")
    ledger = open_ledger(url if "wait_ms=" in url else f"{url}{'&' if urlsplit(url).query else '?'}{_PATIENCE}")
    try:
        yield Desk(Controller(settings.budgets, ledger, series=()), folder)
    except LedgerFailure as failure:
        raise StoreError(str(failure)) from None
    finally:
        ledger.close()


@app.command()
def status(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SCOPE=VALUE", help="Only this value: user=u1.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All values, not the ten of each budget most used.")] = False,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """How each budget stands: used, held by calls in flight, and when its window begins anew, by the budget's zone.

    Exit code 1 where a limit is reached, 2 where the ledger cannot be read.
    """
    with desk(store) as at:
        reader = at.controller.status
        values = _pairs(only)
        rows = reader.standings(values, () if only else reader.everybody())
        rows = [row for row in rows if not only or values.get(row.scope) == row.value]
        waiting = left_in(at.folder / WAITING)
        shown = rows if every or as_json else most_used(rows, _MOST)
    if as_json:
        print(json.dumps({"waiting": waiting, "standings": [_document(row) for row in rows]}, indent=2))
    else:
        show_standings(shown, at.controller.budgets, o.console())
        _tell_rest(len(rows) - len(shown), waiting)
    if not all(row.verified for row in rows):
        return FAILED
    return FINDINGS if any(row.used_ratio >= 1 for row in rows) else CLEAN


@app.command("set")
def set_limit(
    budget: Name,
    window: Annotated[str, typer.Argument(help="hourly, daily, weekly, monthly, total, a length (24h), or calls.")],
    limit: Annotated[
        str, typer.Argument(metavar="LIMIT", help=f"USD, or a number of calls; '{NONE}' goes back to the settings.")
    ],
    value: ForOption = None,
    store: o.StoreOption = None,
) -> None:
    """Change a limit in the ledger: all programs obey it within seconds, and until it is taken back.

    The budget need not have a limit of that window yet. Without --for it holds for every value that the settings name
    no limit for.
    """
    with desk(store) as at:
        chosen = at.budget(budget, value)
        kind = change_limit(at.controller.ledger, chosen, value, window, None if limit == NONE else limit)
        rows = at.controller.status.standings({chosen.scope: value or ""})
    now = next((row for row in rows if (row.budget, row.window, row.value) == (budget, kind, value or "")), None)
    again = " again, as in the settings" if limit == NONE else ""
    print(f"{_whose(chosen, value)}, {kind}: {told(now)}{again}. All programs obey it within {LOOK_EVERY_S:g} seconds.")


@app.command()
def reset(
    budget: Name,
    value: ForOption = None,
    window: Annotated[str | None, typer.Option(help="Only this window: daily, a length (24h), calls.")] = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> None:
    """Begin the windows of a budget anew: what was spent so far no longer counts there. Without --for, of all values.

    Reports and forecasts keep it, other budgets too. Calls in flight stay held, and count in full when they end.
    """
    with desk(store) as at:
        chosen = at.budget(budget, value)
        kind = None if window is None else kind_of(window)
        rows = [row for row in _standings(at.controller, chosen, value) if kind in (None, row.window)]
        begin = f"{owner_of(chosen, value or '')}|" if value or chosen.scope == "global" else owner_of(chosen, "")
        keys = [key for key in at.controller.ledger.keys(begin) if kind in (None, key.rpartition("|")[2])]
        for key in keys:
            at.controller.ledger.reset(key)
    aside = [row for row in rows if row.spent or row.calls]
    if as_json:
        print(json.dumps([_document(row) for row in aside], indent=2))
        return
    for row in aside[:_MOST]:
        amount = plural(row.calls, "call") if row.limit is None else told(row, spent=True)
        print(f"{_whose(chosen, row.value)}, {row.window}: {amount} set aside.")
    _tell_rest(len(aside) - _MOST, 0)
    if not aside:
        print(f"{_whose(chosen, value)}: nothing was spent.")


def _standings(controller: Controller, budget: Budget, value: str | None) -> list[Standing]:
    reader = controller.status
    found = reader.standings({}, reader.everybody() if value is None else [{budget.scope: value}])
    return [row for row in found if row.budget == budget.name and value in (None, row.value)]


def _whose(budget: Budget, value: str | None) -> str:
    return f"budget {budget.name!r}" + (f" of {budget.scope} {value!r}" if value else "")


def _tell_rest(hidden: int, waiting: int) -> None:
    if hidden > 0:
        print(f"{plural(hidden, 'row')} not shown; --json has all.")
    if waiting:
        print(f"{plural(waiting, 'call')} not booked yet: the ledger could not be reached when they ended.")


def _document(row: Standing) -> Mapping[str, Any]:
    at = None if row.resets_at is None else datetime.fromtimestamp(row.resets_at, UTC)
    told = None if at is None else at.astimezone(ZoneInfo(row.timezone)).isoformat(timespec="seconds")
    return {**asdict(row), "resets_at": told}


def _pairs(given: Iterable[str] | None) -> dict[str, str]:
    values = {}
    for pair in given or ():
        scope, sign, value = pair.partition("=")
        if not sign or not scope:
            raise ConfigError(f"--only: {pair!r} is not SCOPE=VALUE")
        values[scope] = value
    return values
