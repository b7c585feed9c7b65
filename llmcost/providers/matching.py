"""From method, host and path to an endpoint: which provider, which operation, which shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from threading import Lock
from typing import Final
from urllib.parse import unquote

from llmcost.lean import dataclass
from llmcost.providers import requests
from llmcost.providers.descriptor import Provider, Route, Shape
from llmcost.providers.facts import RequestFacts
from llmcost.providers.patterns import pattern

COMPATIBLE: Final = "compatible"
"""The name of the table of shapes that are recognised on unknown hosts, and of hosts that speak them."""

_CACHE_LIMIT: Final = 4_096
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of a provider.

    Attributes:
        provider: the value of ``gen_ai.provider.name``.
        operation: the value of ``gen_ai.operation.name``.
        name: the shape's name, such as ``openai.chat``.
        certain: whether the host is known to be the provider's; else only the shape was recognised.
        poll: a GET of a stored response: no call of its own, but the end of a background call that was queued.
        shape: how request and response are read.
    """

    provider: str
    operation: str
    name: str
    certain: bool
    poll: bool
    shape: Shape = field(repr=False)
    route: Route = field(repr=False)

    def read_request(self, path: str, headers: Mapping[str, str], body: bytes) -> RequestFacts | None:
        """The facts of a request, or None where it is not a call after all."""
        found = pattern(self.route.path).fullmatch(clean(path)) if "{" in self.route.path else None
        named = {key: unquoted(value) for key, value in found.groupdict().items()} if found else _NOTHING
        form = not body.startswith(b"{") and (
            body.startswith(b"--") or headers.get("content-type", "").startswith("multipart/form-data")
        )
        facts = requests.read(self.shape, named, body, form=form, certain=self.certain)
        if facts is None or self.route.stream is None or facts.stream == self.route.stream:
            return facts
        return requests.with_stream(facts, self.route.stream)


@dataclass(frozen=True, slots=True)
class _Host:
    """The routes of one host; ``name`` is the provider's name where routes are borrowed from another."""

    routes: tuple[Route, ...]
    name: str | None
    certain: bool = True
    skip: tuple[str, ...] = ()
    quiet: tuple[str, ...] | None = None
    seen: dict[tuple[str, str], Endpoint | None] = field(default_factory=dict)


class Registry:
    """All providers, looked up by host. Thread-safe: look-ups only add to caches.

    The files are read when the first host is looked up, not when the program starts.

    Args:
        load: gives the compiled files.
        hosts: the user's hosts, host or host:port to provider name; these win.
    """

    def __init__(self, load: Callable[[], Iterable[Provider]], hosts: Mapping[str, str]) -> None:
        self._providers: Callable[[], Iterable[Provider]] | None = load
        self._hosts = hosts
        self._shapes: tuple[Route, ...] = ()
        self._ends: tuple[str, ...] = ()
        self._unknown = _Host((), None, certain=False)
        self._exact: dict[str, _Host] = {}
        self._suffixes: list[tuple[str, str, _Host]] = []
        self._ports: dict[int, _Host] = {}
        self._addresses: dict[tuple[str, int], _Host] = {}
        self._cache: dict[str, _Host | None] = {}
        self._loading = Lock()

    def load(self) -> None:
        """Read the files, if that has not happened yet.

        Raises:
            ConfigError: naming the file and the key at fault.
        """
        with self._loading:
            if self._providers is None:
                return
            by_name = {provider.name: provider for provider in self._providers()}
            shared = by_name.get(COMPATIBLE)
            self._shapes = shared.routes if shared else ()
            self._ends = tuple(dict.fromkeys(route.end for route in self._shapes))
            self._unknown = _Host(self._shapes, None, certain=False)
            self._fill(by_name, self._hosts)
            self._suffixes.sort(key=lambda row: -len(row[0]) - len(row[1]))
            self._providers = None

    def _fill(self, by_name: Mapping[str, Provider], hosts: Mapping[str, str]) -> None:
        owners: dict[str, list[Provider]] = {}
        for provider in by_name.values():
            for host in provider.hosts:
                owners.setdefault(host, []).append(provider)
            for port in provider.ports:
                self._ports[port] = _Host((*provider.routes, *self._shapes), provider.name, skip=provider.skip)
        for host, found in owners.items():
            routes = tuple(route for provider in found for route in provider.routes)
            skip = tuple(path for provider in found for path in provider.skip)
            quiet = tuple(path for provider in found for path in provider.quiet)
            self._add(host, _Host(routes, None, skip=skip, quiet=quiet or None))
        table: dict[str, str] = {}
        for provider in by_name.values():
            for host, name in provider.compatible.items():
                table.setdefault(host, name)
        for host, name in table.items():
            if host not in owners:
                self._add(host, _Host(self._shapes, name))
        for address, name in hosts.items():
            self._add_users(address.lower(), name, by_name.get(name))

    def _add_users(self, address: str, name: str, provider: Provider | None) -> None:
        routes, skip = (provider.routes, provider.skip) if provider is not None else ((), ())
        entry = _Host((*routes, *self._shapes), name, skip=skip)
        host, _, port = address.partition(":")
        if port.isdigit():
            self._addresses[host, int(port)] = entry
        else:
            self._add(host, entry)

    def _add(self, name: str, host: _Host) -> None:
        if "*" in name:
            before, _, after = name.partition("*")
            self._suffixes.append((before, after, host))
        else:
            self._exact[name] = host

    def endpoint(self, method: str, host: str, port: int | None, path: str) -> Endpoint | None:
        """The endpoint of a request, or None where it is no call of a model.

        For a host that is not a provider's this costs one dictionary look-up, and for a POST there the test of how
        the path ends.
        """
        try:
            entry = self._cache[host]
        except KeyError:
            entry = self._resolve(host)
        if entry is None:
            if method != "POST":
                return None
            entry = self._by_port(host, port) if port is not None else None
            if entry is None:
                if not path.partition("?")[0].endswith(self._ends):
                    return None
                entry = self._unknown
        key = (method, path)
        if key in entry.seen:
            return entry.seen[key]
        found = _match(entry, method, clean(path))
        if len(entry.seen) < _CACHE_LIMIT:
            entry.seen[key] = found
        return found

    def unseen(self, method: str, host: str, path: str) -> bool:
        """Whether a request that is no endpoint's may spend money all the same: a POST to a provider's own host, on a
        path that is not known to be free.
        """
        entry = self._cache.get(host)
        if entry is None or entry.quiet is None or method != "POST":
            return False
        plain = clean(path)
        return not any(pattern(text).fullmatch(plain) for text in (*entry.quiet, *entry.skip))

    def _by_port(self, host: str, port: int) -> _Host | None:
        return self._addresses.get((host, port)) or self._ports.get(port)

    def _resolve(self, host: str) -> _Host | None:
        if self._providers is not None:
            self.load()
        plain = host.lower().rstrip(".")
        entry = self._exact.get(plain)
        if entry is None:
            for before, after, candidate in self._suffixes:
                if plain.startswith(before) and plain.endswith(after) and len(plain) > len(before) + len(after):
                    entry = candidate
                    break
        if len(self._cache) < _CACHE_LIMIT:
            self._cache[host] = entry
        return entry


def _match(host: _Host, method: str, path: str) -> Endpoint | None:
    if any(pattern(text).fullmatch(path) for text in host.skip):
        return None
    for route in host.routes:
        if route.method == method and path.endswith(route.end) and pattern(route.path).fullmatch(path):
            return Endpoint(
                host.name or route.provider,
                route.operation,
                route.shape.name,
                host.certain,
                route.poll,
                route.shape,
                route,
            )
    return None


def clean(path: str) -> str:
    """A path without its query and without doubled slashes."""
    plain = path.partition("?")[0]
    while "//" in plain:
        plain = plain.replace("//", "/")
    return plain.rstrip("/")


def unquoted(text: str) -> str:
    """A part of a path with its percent-encoding undone."""
    if "%" not in text:
        return text
    return unquote(text)
