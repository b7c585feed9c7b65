"""Options that several commands share, and what they mean."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console

from llmcost import config
from llmcost.errors import ConfigError, StoreError, reason
from llmcost.report.words import plain
from llmcost.store.database import reading
from llmcost.store.dimensions import DIMENSIONS, SAME
from llmcost.store.filters import Filter, moment
from llmcost.store.fold import fold
from llmcost.store.paths import FOLDER_NAME, StoreFolder, find
from llmcost.store.query import context_keys, has_context_key, has_run, last_runs
from llmcost.store.rollup import catch_up

StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Folder of the store; .llmcost here or above by default.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="From when: 7d, 24h, an ISO date or time.")
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="WHEN", help="Up to when; a date means the end of that day.")
]
ZoneOption = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Time zone of days, such as Europe/Berlin; local by default.")
]
RunOption = Annotated[str | None, typer.Option("--run", metavar="ID", help="Only this run; 'last' is the newest.")]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME", help="Only this section. May be repeated.")
]
ModelOption = Annotated[
    list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model. May be repeated.")
]
ProviderOption = Annotated[
    list[str] | None, typer.Option("--provider", metavar="NAME", help="Only this provider. May be repeated.")
]
UserOption = Annotated[
    list[str] | None, typer.Option("--user", metavar="NAME", help="Only this user. May be repeated.")
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="KEY=VALUE", help="Only calls with this value of any dimension or context key."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

LAST: Final = "last"
_RUNS_SHOWN: Final = 5
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Selection:
    """The options that say which calls are meant, as the user wrote them."""

    since: str | None = None
    until: str | None = None
    zone: str | None = None
    run: str | None = None
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()


def selection(
    since: SinceOption = None,
    until: UntilOption = None,
    run: RunOption = None,
    label: LabelOption = None,
    model: ModelOption = None,
    provider: ProviderOption = None,
    user: UserOption = None,
    only: OnlyOption = None,
    zone: ZoneOption = None,
) -> Selection:
    """Take the options together.

    Raises:
        ConfigError: a value of ``only`` is no pair.
    """
    dimensions = {"label": label, "model": model, "provider": provider, "user": user}
    chosen = {name: list(given) for name, given in dimensions.items() if given}
    for pair in only or ():
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise ConfigError(f"--only: {pair!r} is not KEY=VALUE")
        chosen.setdefault(key, []).append(value)
    return Selection(since, until, zone, run, tuple((name, tuple(given)) for name, given in chosen.items()))


def selecting(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options of :func:`selection`; it gets them together, as its argument ``chosen``."""
    signature = inspect.signature(command, eval_str=True)
    options = inspect.signature(selection, eval_str=True).parameters

    @functools.wraps(command)
    def with_options(**given: Any) -> int | None:
        return command(chosen=selection(**{name: given.pop(name) for name in options}), **given)

    own = list(signature.parameters.values())
    place = [parameter.name for parameter in own].index("chosen")
    parameters = [*own[:place], *options.values(), *own[place + 1 :]]
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


def store_folder(option: Path | None) -> StoreFolder:
    """The store meant: the option, the setting, or the nearest ``.llmcost``.

    Raises:
        ConfigError: the option names a file.
    """
    if option is not None:
        if option.is_file():
            raise ConfigError(f"--store: {option} is a file; name the folder that holds calls.db")
        return StoreFolder(option)
    settings = config.load()
    return StoreFolder(settings.store) if isinstance(settings.store, Path) else find(Path.cwd())


def map_path(option: Path | None) -> Path | None:
    """The semantic map that calls of this store were labelled by, or None where there is none."""
    settings = config.load()
    here = Path.cwd()
    nearby = [store_folder(option).root, *(folder / FOLDER_NAME for folder in (here, *here.parents))]
    candidates = [settings.map_path] if settings.map_path else [folder / "semantic_map.json" for folder in nearby]
    return next((path for path in candidates if path.is_file()), None)


@contextlib.contextmanager
def opened(option: Path | None) -> Iterator[sqlite3.Connection]:
    """The store, with everything folded that was written so far; a reading connection.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    folder = store_folder(option)
    try:
        fold(folder)
    except (OSError, sqlite3.Error) as exc:
        if not folder.database.exists():
            raise StoreError(f"{folder.root}: {reason(exc)}") from None
        print(
            f"llmcost: the newest calls are not shown: {folder.root} cannot be written ({reason(exc)})", file=sys.stderr
        )
    with contextlib.suppress(OSError, sqlite3.Error):  # what is not rolled up is summed up each time
        catch_up(folder)
    with reading(folder) as connection:
        yield connection


def zone_of(name: str | None) -> tuple[tzinfo, str]:
    """A time zone and the name it is shown by.

    Raises:
        ConfigError: there is no such zone.
    """
    if name is None:
        local = _local_zone()
        return local, str(local)
    try:
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"--tz: no time zone {name!r}") from None


def _local_zone() -> tzinfo:
    """The zone of this machine with its rules, or, where they are not to be had, its present offset."""
    path = Path("/etc/localtime")
    try:
        name = str(path.resolve()).partition("zoneinfo/")[2]
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.now().astimezone().tzinfo or UTC


def filter_of(connection: sqlite3.Connection, chosen: Selection, zone: tzinfo) -> Filter:
    """The selection as a filter over this store.

    Raises:
        ConfigError: an option has a wrong value, or nothing in the store has that key.
    """
    now = datetime.now(zone)
    values = dict(chosen.values)
    if chosen.run is not None:
        values["run"] = (_run_of(connection, chosen.run),)
    for key in values:
        known_key(connection, "--only", key)
    since = None if chosen.since is None else moment("--since", chosen.since, now)
    until = None if chosen.until is None else moment("--until", chosen.until, now, end=True)
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"--until {chosen.until} is not after --since {chosen.since}")
    return Filter(since, until, values)


def _run_of(connection: sqlite3.Connection, asked: str) -> str:
    if asked != LAST and has_run(connection, asked):
        return asked
    known = last_runs(connection, 1 if asked == LAST else _RUNS_SHOWN)
    if not known:
        raise ConfigError(f"--run {asked}: no call of this store belongs to a run")
    if asked == LAST:
        return known[0]
    raise ConfigError(f"--run: no run {asked!r}; the last ones are {', '.join(map(plain, known))}")


def known_key(connection: sqlite3.Connection, option: str, key: str) -> None:
    """Check that a dimension or context key exists.

    Raises:
        ConfigError: naming what there is.
    """
    if key not in DIMENSIONS and key not in SAME and not has_context_key(connection, key):
        known = [*DIMENSIONS, *context_keys(connection)]
        raise ConfigError(f"{option}: no {key!r}; there are {', '.join(known)}")


def console(*, stderr: bool = False) -> Console:
    """Where people read: no markup, no highlighting, so that names stay data."""
    return Console(file=sys.stderr if stderr else sys.stdout, markup=False, highlight=False, emoji=False)
