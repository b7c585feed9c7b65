"""Where calls go: the local store, and the exporter's endpoint."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC
from shlex import quote
from typing import Final
from urllib.parse import urlsplit

from llmcost import signals
from llmcost.cli.checks.finding import Finding, Surroundings
from llmcost.errors import StoreError, reason
from llmcost.report.words import plural
from llmcost.store.database import writing
from llmcost.store.filters import Filter
from llmcost.store.paths import SUFFIX
from llmcost.store.query import Spend
from llmcost.store.stats import days_ago

CONNECT_SECONDS: Final = 1.0
_LOST_DAYS: Final = 30
_OTLP_PORT: Final = 4317
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def store(around: Surroundings) -> Iterator[Finding]:
    """Whether calls can be written, and whether any were lost."""
    folder = around.folder
    place = (
        folder.spool if folder.spool.is_dir() else next(p for p in (folder.root, *folder.root.parents) if p.exists())
    )
    if not os.access(place, os.W_OK):
        fix = "set LLMCOST_STORE to a folder that can be written"
        yield Finding("store", False, f"{place} cannot be written: calls wait in memory", fix)
        return
    waiting = len(list(folder.spool.glob(f"*{SUFFIX}"))) if folder.spool.is_dir() else 0
    try:
        lost = _lost(around) if folder.database.exists() else 0
    except StoreError as exc:  # it says itself what to do
        yield Finding("store", False, str(exc))
        return
    except (OSError, sqlite3.Error) as exc:
        fix = f"mv {quote(str(folder.database))} {quote(f'{folder.database}.broken')} && llmcost doctor"
        yield Finding("store", False, f"{folder.database}: {reason(exc)}", fix)
        return
    if lost:
        told = f"{plural(lost, 'record')} of the last {_LOST_DAYS} days lost to a full disk or a kill"
        yield Finding("store", False, told, "free room on the disk")
    else:
        yield Finding("store", True, f"{folder.root} can be written, {plural(waiting, 'spool file')} to fold")


def _lost(around: Surroundings) -> int:
    """Records that were lost of late.

    Raises:
        StoreError: a newer llmcost made the store.
        OSError: it cannot be written.
        sqlite3.Error: it is broken.
    """
    with writing(around.folder) as connection:
        lost = Spend(connection, Filter(since=days_ago(_LOST_DAYS, around.now)), UTC).marks()
    return lost.get("dropped", 0) + lost.get("torn", 0)


def exporter(around: Surroundings) -> Iterator[Finding]:
    """Whether the endpoints that are set answer."""
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
