"""What ``llmcost doctor`` looks at. A check is a function that yields findings, and one row of :data:`CHECKS`."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from llmcost import config, sections, signals
from llmcost.errors import LLMCostError, PriceMapError
from llmcost.exchange.clients import TABLE
from llmcost.pricing.lock import LOCK_FILE, mismatch
from llmcost.report.words import plain, plural
from llmcost.runtime import price_book
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.paths import SUFFIX, StoreFolder
from llmcost.store.query import Spend
from llmcost.store.stats import days_ago

PRICES_DAYS: Final = 30
CONNECT_SECONDS: Final = 1.0
_UNPRICED_DAYS: Final = 30
_UNPRICED_SHOWN: Final = 10
_OUR_DISTRO: Final = "opentelemetry-distro"
_NATIVE: Final = {"anthropic": "anthropic._tracing", "mistralai": "mistralai.extra.observability"}
"""SDKs that make spans of their own, and the module that does so."""
_OTLP_PORT: Final = 4317
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has to say.

    Attributes:
        check: the check's name.
        ok: False where something keeps costs from being complete or right.
        message: one line.
        fix: what to do, where something is wrong.
    """

    check: str
    ok: bool
    message: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at: settings, store, environment, the map in use, and today's date."""

    settings: config.Config
    folder: StoreFolder
    map_path: Path | None
    environ: Mapping[str, str]
    now: datetime


Check = Callable[[Surroundings], Iterator[Finding]]


def run(around: Surroundings) -> list[Finding]:
    """The findings of all checks."""
    return [finding for check in CHECKS for finding in check(around)]


# --- what is installed ------------------------------------------------------------------------------------------


def _clients(_: Surroundings) -> Iterator[Finding]:
    found = [f"{row.module} {number}" for row in TABLE if (number := _version(row.module))]
    if found:
        yield Finding("clients", True, f"calls are seen over {', '.join(found)}")
    else:
        names = " or ".join(row.module for row in TABLE)
        yield Finding("clients", False, "no HTTP client that llmcost can hook is installed", f"pip install {names}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _distro(around: Surroundings) -> Iterator[Finding]:
    """``opentelemetry-instrument`` does nothing, and says nothing, where no distro and configurator are there."""
    chosen = around.environ.get("OTEL_PYTHON_DISTRO")
    owners = sorted({_owner(entry) for entry in entry_points(group="opentelemetry_distro")})
    if not owners or not entry_points(group="opentelemetry_configurator"):
        yield Finding(
            "distro",
            False,
            "no OpenTelemetry distro: opentelemetry-instrument does nothing",
            f"pip install {_OUR_DISTRO}",
        )
    elif owners != [_OUR_DISTRO] and chosen is None:
        yield Finding(
            "distro", False, f"several or other OpenTelemetry distros are installed: {', '.join(owners)}",
            "choose one with OTEL_PYTHON_DISTRO, or start with: llmcost run",
        )  # fmt: skip
    else:
        yield Finding("distro", True, f"OpenTelemetry distro: {chosen or owners[0]}")


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def _double(_: Surroundings) -> Iterator[Finding]:
    """Two instrumentations of one SDK make two spans a call. llmcost counts it once all the same."""
    makers: dict[str, set[str]] = {}
    for entry in entry_points(group="opentelemetry_instrumentor"):
        makers.setdefault(entry.name, set()).add(_owner(entry))
    for sdk, module in _NATIVE.items():
        if sdk in makers and find_spec(sdk) is not None and find_spec(module) is not None:
            makers[sdk].add(f"{sdk} itself")
    double = {sdk: sorted(owners) for sdk, owners in makers.items() if len(owners) > 1}
    for sdk, owners in sorted(double.items()):
        yield Finding(
            "double instrumentation", False, f"{sdk} is instrumented by {' and '.join(owners)}: two spans a call",
            f"keep one, as with OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={sdk}",
        )  # fmt: skip
    if not double:
        yield Finding("double instrumentation", True, "no SDK is instrumented twice")


# --- map and prices ---------------------------------------------------------------------------------------------


def _map(around: Surroundings) -> Iterator[Finding]:
    path = around.map_path
    if path is None:
        yield Finding("map", False, "no semantic map: calls are untracked", "llmcost scan")
        return
    try:
        files = sections.load(path).files
        made = path.stat().st_mtime
    except (LLMCostError, OSError) as exc:
        yield Finding("map", False, str(exc), "llmcost scan")
        return
    root = path.parent.parent
    changed = [name for name in files if not (root / name).is_file() or (root / name).stat().st_mtime > made]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        yield Finding("map", False, f"older than the code: {plain(changed[0])}{more} changed since", "llmcost scan")
    else:
        age = (around.now - datetime.fromtimestamp(made, UTC)).days
        yield Finding("map", True, f"{plural(len(files), 'file')} mapped, {plural(max(age, 0), 'day')} ago")


def _prices(around: Surroundings) -> Iterator[Finding]:
    try:
        prices = price_book(around.settings).map
        meta = prices.meta
        age = (around.now.date() - date.fromisoformat(meta.date)).days
    except (LLMCostError, ValueError) as exc:
        fix = "correct price_map, or LLMCOST_PRICE_MAP" if around.settings.price_map else "llmcost prices update"
        yield Finding("prices", False, str(exc), fix)
        return
    try:
        pinned = mismatch(around.folder.root / LOCK_FILE, prices)
    except PriceMapError as exc:  # the map itself is read; its lock file is not
        pinned = str(exc)
    if pinned is not None:
        yield Finding("prices", False, pinned, "llmcost prices pin, or put the pinned map back")
    text = f"prices of {meta.date} ({plain(meta.source)} {plain(meta.version)}), {plural(max(age, 0), 'day')} old"
    yield Finding("prices", age <= PRICES_DAYS, text, None if age <= PRICES_DAYS else "llmcost prices update")


def _unpriced(around: Surroundings) -> Iterator[Finding]:
    if not around.folder.database.exists():
        return
    wanted = Filter(since=days_ago(_UNPRICED_DAYS, around.now), values={"status": ("unpriced",)})
    try:
        with reading(around.folder) as connection:
            groups = Spend(connection, wanted, UTC).by("model")
    except (LLMCostError, sqlite3.Error):
        return  # the check of the store says so
    for group in sorted(groups, key=lambda group: -group.sums.calls)[:_UNPRICED_SHOWN]:
        name = plain(group.key)
        yield Finding(
            "unpriced models", False, f"{name}: no price for {plural(group.sums.calls, 'call')} of the last 30 days",
            f"llmcost prices update, or give a price under [prices.{name!r}] in llmcost.toml",
        )  # fmt: skip
    if len(groups) > _UNPRICED_SHOWN:
        yield Finding("unpriced models", False, f"and {plural(len(groups) - _UNPRICED_SHOWN, 'further model')}")
    if not groups:
        yield Finding("unpriced models", True, f"every model of the last {_UNPRICED_DAYS} days has a price")


# --- where calls go ---------------------------------------------------------------------------------------------


def _store(around: Surroundings) -> Iterator[Finding]:
    folder = around.folder
    place = (
        folder.spool if folder.spool.is_dir() else next(p for p in (folder.root, *folder.root.parents) if p.exists())
    )
    if not os.access(place, os.W_OK):
        yield Finding("store", False, f"{place} cannot be written: calls wait in memory", "set LLMCOST_STORE")
        return
    waiting = len(list(folder.spool.glob(f"*{SUFFIX}"))) if folder.spool.is_dir() else 0
    try:
        if folder.database.exists():
            with reading(folder) as connection:
                lost = Spend(connection, Filter(), UTC).marks()
                if lost.get("dropped") or lost.get("torn"):
                    count = lost.get("dropped", 0) + lost.get("torn", 0)
                    yield Finding(
                        "store", False, f"{plural(count, 'record')} lost to a full disk or a kill", "free room"
                    )
    except (LLMCostError, sqlite3.Error) as exc:
        yield Finding("store", False, str(exc), "move the file away")
        return
    yield Finding("store", True, f"{folder.root} can be written, {plural(waiting, 'spool file')} to fold")


def _exporter(around: Surroundings) -> Iterator[Finding]:
    endpoints = {
        signals.endpoint_of(signal, around.settings, around.environ)
        for signal in (signals.TRACES, signals.METRICS)
        if set(signals.exporters_of(signal, around.settings, around.environ)) & set(signals.OTLP_NAMES)
    }
    if not endpoints:
        yield Finding("exporter", True, "no OTLP endpoint is configured: calls go to the local store")
    for endpoint in sorted(filter(None, endpoints)):
        yield _answering(endpoint)


def _answering(endpoint: str) -> Finding:
    try:
        host, port = _address(endpoint)
    except ValueError as exc:  # the endpoint is not shown: it may hold a password
        return Finding("exporter", False, f"the OTLP endpoint is no address ({exc})", "correct the endpoint")
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as exc:
        told = f"{host}:{port} does not answer ({exc})"
        return Finding("exporter", False, told, "start the collector, or correct the endpoint")
    return Finding("exporter", True, f"{host}:{port} answers")


def _address(endpoint: str) -> tuple[str, int]:
    """Host and port of an OTLP endpoint, which may lack its scheme.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    if not parts.hostname:
        raise ValueError("no host in it")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number") from None
    return parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme, _OTLP_PORT)


CHECKS: Final[tuple[Check, ...]] = (_clients, _distro, _double, _map, _prices, _unpriced, _store, _exporter)
