"""What a provider's TOML says, checked and compiled.

A file names a provider's hosts, its routes (path patterns to shapes) and its shapes: which fields of request,
response and stream are read. ``docs/reference/providers.md`` lists every key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from llmcost.errors import ConfigError
from llmcost.providers import paths
from llmcost.providers.functions import FUNCTIONS, Function
from llmcost.providers.paths import Path
from llmcost.providers.usage import FIELDS, UsageTable

Fields = Mapping[str, tuple[Path, ...]]
_MOST_FORMS: Final = 256
_MOST_KEYS: Final = 64


class Heads:
    """What may stand under which outermost key of a document.

    A document is read by the keys that it has. Documents of one shape have the same keys again and again, so the answer
    is kept by them; how many are kept is bounded.
    """

    __slots__ = ("_by_head", "_known")

    def __init__(self, named: Iterable[tuple[str, Path]] = ()) -> None:
        self._by_head: dict[Any, dict[str, list[Path]]] = {}
        self._known: dict[tuple[Any, ...], tuple[tuple[str, str | None], ...]] = {}
        for name, path in named:
            self._by_head.setdefault(path[0], {}).setdefault(name, []).append(path)

    def of(self, document: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
        """The names of what may stand in a document; with its key where it can only be the value of one."""
        keys = tuple(document)
        names = self._known.get(keys)
        if names is None:
            names = self._of(keys)
            if len(self._known) < _MOST_FORMS and len(keys) < _MOST_KEYS:
                self._known[keys] = names
        return names

    def _of(self, keys: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
        found: dict[str, list[Path]] = {}
        for key in keys:
            for name, paths_ in self._by_head.get(key, {}).items():
                found.setdefault(name, []).extend(paths_)
        return tuple(
            (name, str(ways[0][0]) if len(ways) == 1 and len(ways[0]) == 1 else None) for name, ways in found.items()
        )


REQUEST_FIELDS: Final = frozenset(
    {"model", "stream", "max_tokens", "temperature", "top_p", "choices", "service_tier", "include_usage"}
    | {"image_size", "image_quality", "search_context", "input", "seconds"}
)
RESPONSE_FIELDS: Final = frozenset({"model", "id", "finish_reasons", "service_tier", "usage", "status"})
ASKED: Final = frozenset({"images", "seconds", "characters"})
PROVIDER_KEYS: Final = frozenset({"name", "hosts", "ports", "route", "shape", "skip", "quiet", "compatible"})
ROUTE_KEYS: Final = frozenset({"path", "shape", "method", "provider", "operation", "poll", "stream"})
TALLY_KEYS: Final = frozenset({"field", "path", "where", "sum"})
STREAM_KEYS: Final = frozenset({"end", "end_path", "end_values", "watch", "texts", "lines"})
BIG_KEYS: Final = frozenset({"bulk", "tail", "deep", "texts"})
SHAPE_KEYS: Final = frozenset(
    {"like", "operation", "needs", "request", "request_defaults", "request_bulk", "response", "names", "usage"}
    | {"complete", "merge", "counts", "tally", "asked", "cost", "function", "big", "stream", "error", "refusal"}
)
ERROR_FIELDS: Final = frozenset({"mark", "type", "code"})


@dataclass(frozen=True, slots=True)
class Tally:
    """A count of items in a response: those at ``path`` whose fields have the values of ``where``.

    ``sum`` adds up the numbers at a path of the items instead.
    """

    field: str
    path: Path
    where: tuple[tuple[Path, tuple[Any, ...]], ...]
    sum: Path | None


@dataclass(frozen=True, slots=True)
class StatedCost:
    """Where a response states its own cost; ``scale`` makes it USD."""

    path: Path
    scale: float


@dataclass(frozen=True, slots=True)
class Big:
    """How a large JSON body is read without parsing it: the member that is skipped, the members after it, and words
    that force a full parse. ``texts`` are the keys of the answer's text, as in :class:`Stream`."""

    bulk: tuple[bytes, ...] = ()
    tail: tuple[bytes, ...] = ()
    deep: tuple[bytes, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """Which events of a stream are parsed: those with a watched key that is not null, and the end marks.

    ``texts`` are the keys of text in events, counted for estimates; ``lines``: the stream is JSON lines.
    """

    end: tuple[bytes, ...] = ()
    end_path: Path | None = None
    end_values: tuple[Any, ...] = ()
    watch: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    lines: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of request and response, such as OpenAI's chat.

    Attributes:
        needs: keys that a request must have where the host is unknown.
        asks: by outermost key of a request, the facts that may stand there; ``tells`` the same of a response.
        names: by field, text for values that a provider may send as numbers.
        usage: fields of ``Usage`` from keys of the usage object.
        complete: a key of the usage object that makes it replace an earlier one of the stream as a whole.
        merge: the rules for usage objects that do not: ``sum`` or ``max`` by key, else the last number wins.
        counts: fields of ``Usage`` from anywhere in the response, where the usage object does not have them.
        tallies: fields of ``Usage`` counted from the response's items, where neither has them.
        asked: fields of ``Usage`` that only the request tells, by the request's fact.
    """

    name: str
    operation: str
    needs: tuple[str, ...] = ()
    request: Fields = field(default_factory=dict)
    asks: Heads = field(default_factory=Heads)
    request_defaults: Mapping[str, Any] = field(default_factory=dict)
    request_bulk: tuple[bytes, ...] = ()
    request_tail: tuple[bytes, ...] = ()
    response: Fields = field(default_factory=dict)
    tells: Heads = field(default_factory=Heads)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    usage: UsageTable = field(default_factory=lambda: UsageTable({}))
    complete: str | None = None
    merge: Mapping[str, str] = field(default_factory=dict)
    counts: Fields = field(default_factory=dict)
    tallies: tuple[Tally, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)
    costs: tuple[StatedCost, ...] = ()
    function: Function | None = None
    big: Big = Big()
    stream: Stream = Stream()
    error: Fields = field(default_factory=dict)
    refusal: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """A path pattern of a provider and the shape that is spoken there; ``end`` is the literal end of the pattern."""

    provider: str
    method: str
    path: str
    end: str
    shape: Shape
    operation: str
    poll: bool = False
    stream: bool | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: its name in ``gen_ai.provider.name``, its hosts, ports and routes.

    ``skip`` has paths that a route would match but that are no calls; ``quiet`` the paths that spend nothing, so that
    any other POST to the provider is a call which could not be read; ``compatible`` hosts that speak the common
    shapes, with their providers' names.
    """

    name: str
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    routes: tuple[Route, ...]
    skip: tuple[str, ...]
    quiet: tuple[str, ...]
    compatible: Mapping[str, str]


_PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::([^}]*))?\}")


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A path pattern, compiled when it is first needed.

    ``{name}`` is a part of one segment, ``{name:x}`` one that begins with x, ``*`` anything.
    """
    pieces = []
    for piece in re.split(r"(\{[^}]+\}|\*)", text):
        placeholder = _PLACEHOLDER.fullmatch(piece)
        if placeholder:
            pieces.append(f"(?P<{placeholder[1]}>{re.escape(placeholder[2] or '')}[^/]+?)")
        else:
            pieces.append(".*" if piece == "*" else re.escape(piece))
    return re.compile("".join(pieces))


@cache
def watch_pattern(keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """Any of some keys (or texts) whose value is neither null nor false, in raw JSON."""
    names = "|".join(re.escape(key) for key in keys)
    return re.compile(rf'"(?:{names})"(?!\s*+:\s*+(?:null|false))'.encode())


@cache
def text_pattern(keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """The texts in raw JSON under any of some keys; ``delta.content`` is one inside the object ``delta``."""
    children: dict[str, list[str]] = {}
    for key in keys:
        parent, _, child = key.rpartition(".")
        children.setdefault(parent, []).append(re.escape(child))
    pieces = []
    for parent, names in children.items():
        inside = rf'"{re.escape(parent)}":\s*\{{[^{{}}]*?' if parent else ""
        pieces.append(rf'{inside}"(?:{"|".join(names)})":\s*"((?:[^"\\]++|\\.)++)"')
    return re.compile("|".join(pieces).encode(), re.DOTALL)


class Compiler:
    """Compiles shapes and routes of several files, which may refer to each other by ``provider.shape``."""

    def __init__(self, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self._documents = {str(document.get("name", where)): (where, document) for where, document in documents}
        self._raw: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._shapes: dict[str, Shape] = {}
        for name, (where, document) in self._documents.items():
            for key, table in _table(where, document, "shape").items():
                self._raw[f"{name}.{key}"] = (where, table)

    def providers(self) -> list[Provider]:
        """Every provider of the files.

        Raises:
            ConfigError: naming the file and the key at fault.
        """
        return [self._provider(name, where, document) for name, (where, document) in self._documents.items()]

    def _provider(self, name: str, where: str, document: Mapping[str, Any]) -> Provider:
        _known(where, document, PROVIDER_KEYS)
        routes = tuple(
            self._route(name, where, path, row)
            for row in document.get("route", ())
            for path in ([row["path"]] if isinstance(row["path"], str) else row["path"])
        )
        return Provider(
            name,
            tuple(document.get("hosts", ())),
            tuple(document.get("ports", ())),
            routes,
            tuple(document.get("skip", ())),
            tuple(document.get("quiet", ())),
            dict(document.get("compatible", {})),
        )

    def _route(self, provider: str, where: str, path: str, row: Mapping[str, Any]) -> Route:
        _known(where, row, ROUTE_KEYS)
        shape = self._shape(where, provider, str(row.get("shape")))
        return Route(
            row.get("provider", provider),
            row.get("method", "POST"),
            path,
            re.split(r"[*}]", path)[-1],
            shape,
            row.get("operation", shape.operation),
            bool(row.get("poll", False)),
            row.get("stream"),
        )

    def _shape(self, where: str, provider: str, name: str) -> Shape:
        key = name if name in self._raw else f"{provider}.{name}"
        if key not in self._raw:
            raise ConfigError(f"{where}: unknown shape {name!r}")
        if key not in self._shapes:
            owner = key.rpartition(".")[0]
            self._shapes[key] = _compile_shape(key, *self._inherited(owner, key))
        return self._shapes[key]

    def _inherited(self, provider: str, key: str) -> tuple[str, dict[str, Any]]:
        """The tables of a shape laid over those of the shape that it is ``like``."""
        where, table = self._raw[key]
        like = table.get("like")
        if like is None:
            return where, dict(table)
        base = like if like in self._raw else f"{provider}.{like}"
        if base not in self._raw or base == key:
            raise ConfigError(f"{where}: unknown shape {like!r}")
        _, merged = self._inherited(base.rpartition(".")[0], base)
        for name, value in table.items():
            before = merged.get(name)
            merged[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
        return where, merged


def _compile_shape(name: str, where: str, table: Mapping[str, Any]) -> Shape:
    where = f"{where}: shape.{name}"
    _known(where, table, SHAPE_KEYS)
    function = table.get("function")
    if function and function not in FUNCTIONS:
        raise ConfigError(f"{where}: unknown function {function!r}")
    big, stream = _table(where, table, "big"), _table(where, table, "stream")
    _known(where, big, BIG_KEYS)
    request = _fields(where, _table(where, table, "request"), REQUEST_FIELDS)
    response = _fields(where, _table(where, table, "response"), RESPONSE_FIELDS)
    counts = _fields(where, _table(where, table, "counts"), FIELDS)
    tallies = tuple(_tally(where, row) for row in table.get("tally", ()))
    costs = tuple(StatedCost(paths.parse(row["path"]), row.get("scale", 1.0)) for row in table.get("cost", ()))
    error = _fields(where, _table(where, table, "error"), ERROR_FIELDS)
    return Shape(
        name=name,
        operation=str(table.get("operation", "chat")),
        needs=tuple(table.get("needs", ())),
        request=request,
        asks=Heads((name, path) for name, found in request.items() for path in found),
        request_defaults=_table(where, table, "request_defaults"),
        request_bulk=_keys(table.get("request_bulk", ())),
        request_tail=_keys(dict.fromkeys(str(path[0]) for found in request.values() for path in found)),
        response=response,
        tells=Heads(_told(response, counts, tallies, costs, error)),
        names=_table(where, table, "names"),
        usage=_usage(where, _table(where, table, "usage")),
        complete=table.get("complete"),
        merge=_table(where, table, "merge"),
        counts=counts,
        asked=_asked(where, _table(where, table, "asked")),
        tallies=tallies,
        costs=costs,
        function=FUNCTIONS[function] if function else None,
        big=Big(
            bulk=_keys(big.get("bulk", ())),
            tail=_keys(big.get("tail", ())),
            deep=tuple(word.encode() for word in big.get("deep", ())),
            texts=tuple(big.get("texts", ())),
        ),
        stream=_stream(where, stream),
        error=error,
        refusal=_table(where, table, "refusal"),
    )


def _stream(where: str, table: Mapping[str, Any]) -> Stream:
    _known(where, table, STREAM_KEYS)
    end_path, values = table.get("end_path"), tuple(table.get("end_values", ()))
    marks = [value for value in values if isinstance(value, str)]
    if end_path and not marks:
        marks = [end_path]
    return Stream(
        end=tuple(mark.encode() for mark in table.get("end", ())),
        end_path=paths.parse(end_path) if end_path else None,
        end_values=values,
        watch=(*table.get("watch", ()), *marks, "error"),
        texts=tuple(table.get("texts", ())),
        lines=bool(table.get("lines", False)),
    )


def _tally(where: str, row: Mapping[str, Any]) -> Tally:
    _known(where, row, TALLY_KEYS)
    conditions = tuple(
        (paths.parse(key), tuple(value) if isinstance(value, list) else (value,))
        for key, value in row.get("where", {}).items()
    )
    return Tally(
        row["field"],
        paths.parse(row["path"]),
        conditions,
        paths.parse(row["sum"]) if "sum" in row else None,
    )


def _told(
    response: Fields, counts: Fields, tallies: Iterable[Tally], costs: Iterable[StatedCost], error: Fields
) -> Iterator[tuple[str, Path]]:
    """What a response tells, and where: its fields, and as groups the counts, tallies, costs and errors."""
    yield from ((name, path) for name, found in response.items() for path in found)
    yield from (("counts", path) for found in counts.values() for path in found)
    yield from (("tallies", tally.path) for tally in tallies)
    yield from (("costs", cost.path) for cost in costs)
    yield from (("error", path) for path in error.get("mark", ()))


def _usage(where: str, table: Mapping[str, Any]) -> UsageTable:
    _known(f"{where}.usage", table, FIELDS)
    return UsageTable(
        {
            name: tuple((item,) if isinstance(item, str) else tuple(item) for item in alternatives)
            for name, alternatives in table.items()
        }
    )


def _asked(where: str, table: dict[str, Any]) -> dict[str, str]:
    _known(f"{where}.asked", table, FIELDS)
    _known(f"{where}.asked", dict.fromkeys(table.values()), ASKED)
    return table


def _fields(where: str, table: Mapping[str, Any], allowed: Iterable[str]) -> dict[str, tuple[Path, ...]]:
    _known(where, table, allowed)
    return {name: tuple(paths.parse(text) for text in texts) for name, texts in table.items()}


def _keys(names: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(f'"{name}"'.encode() for name in names)


def _table(where: str, document: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: {key} is not a table")
    return table


def _known(where: str, table: Mapping[str, Any], allowed: Iterable[str]) -> None:
    for key in table:
        if key not in frozenset(allowed):
            raise ConfigError(f"{where}: unknown key {key!r}")
