"""From a provider's TOML to its routes and shapes, checked.

A file names a provider's hosts, its routes (path patterns to shapes) and its shapes: which fields of request,
response and stream are read. ``docs/reference/providers.md`` lists every key.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from llmcost.errors import ConfigError
from llmcost.providers import paths
from llmcost.providers.descriptor import Fields, Heads, Provider, Route, Shape, StatedCost, Stream, Tally
from llmcost.providers.functions import FUNCTIONS, Function
from llmcost.providers.paths import Path
from llmcost.providers.requests import FACTS
from llmcost.providers.scan import Skim
from llmcost.providers.usage import FIELDS, UsageTable
from llmcost.providers.usual import UsualAnswer, UsualRequest
from llmcost.providers.wanted import Wanted

Given = ParamSpec("Given")
Form = TypeVar("Form")

REQUEST_FIELDS: Final = frozenset(FACTS)
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
        """Every provider of the files. Their shapes are compiled when they are needed, or by :meth:`check`.

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
        key = self._key(where, provider, str(row.get("shape")))
        return Route(
            row.get("provider", provider),
            row.get("method", "POST"),
            path,
            re.split(r"[*}]", path)[-1],
            partial(self._shape, key),
            row.get("operation"),
            bool(row.get("poll", False)),
            row.get("stream"),
        )

    def check(self) -> None:
        """Compile every shape now.

        Raises:
            ConfigError: naming the file and the key at fault.
        """
        for key in self._raw:
            self._shape(key)

    def _key(self, where: str, provider: str, name: str) -> str:
        key = name if name in self._raw else f"{provider}.{name}"
        if key not in self._raw:
            raise ConfigError(f"{where}: unknown shape {name!r}")
        return key

    def _shape(self, key: str) -> Shape:
        found = self._shapes.get(key)
        if found is None:
            owner = key.rpartition(".")[0]
            found = self._shapes.setdefault(key, _compile_shape(key, *self._inherited(owner, key)))
        return found

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
    big, stream = _table(where, table, "big"), _table(where, table, "stream")
    _known(where, big, BIG_KEYS)
    request = _fields(where, _table(where, table, "request"), REQUEST_FIELDS)
    response = _fields(where, _table(where, table, "response"), RESPONSE_FIELDS)
    counts = _fields(where, _table(where, table, "counts"), FIELDS)
    tallies = tuple(_tally(where, row) for row in table.get("tally", ()))
    costs = tuple(StatedCost(paths.parse(row["path"]), row.get("scale", 1.0)) for row in table.get("cost", ()))
    error = _fields(where, _table(where, table, "error"), ERROR_FIELDS)
    told = tuple(_told(response, counts, tallies, costs, error))
    shape = Shape(
        name=name,
        operation=str(table.get("operation", "chat")),
        needs=_keys(table.get("needs", ())),
        request=request,
        asks=Heads((name, path) for name, found in request.items() for path in found),
        request_defaults=_table(where, table, "request_defaults"),
        asked_in=Skim(
            bulk=_keys(table.get("request_bulk", ())),
            tail=_keys(dict.fromkeys(str(path[0]) for found in request.values() for path in found)),
            wanted=Wanted(path for found in request.values() for path in found),
        ),
        response=response,
        tells=Heads(told),
        names=_table(where, table, "names"),
        usage=_usage(where, _table(where, table, "usage")),
        complete=table.get("complete"),
        merge=_table(where, table, "merge"),
        counts=counts,
        asked=_asked(where, _table(where, table, "asked")),
        tallies=tallies,
        costs=costs,
        function=_function(where, table.get("function")),
        told_in=Skim(
            bulk=_keys(big.get("bulk", ())),
            tail=_keys(big.get("tail", ())),
            deep=tuple(word.encode() for word in big.get("deep", ())),
            wanted=Wanted(_read_in(told, tallies, error, stream)),
        ),
        texts=tuple(big.get("texts", ())),
        stream=_stream(where, stream),
        error=error,
        refusal=_table(where, table, "refusal"),
    )
    others = [path for field, path in told if field not in response and field != "tallies"]
    return replace(
        shape,
        usual_request=_if_usual(UsualRequest, request, FACTS, stream=bool(shape.request_defaults.get("stream"))),
        usual_answer=_if_usual(UsualAnswer, shape, others),
    )


def _function(where: str, name: str | None) -> Function | None:
    if name and name not in FUNCTIONS:
        raise ConfigError(f"{where}: unknown function {name!r}")
    return FUNCTIONS[name] if name else None


def _if_usual(form: Callable[Given, Form], *given: Given.args, **named: Given.kwargs) -> Form | None:
    """The usual form, where the shape has one."""
    try:
        return form(*given, **named)
    except ValueError:
        return None


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


def _read_in(
    told: Iterable[tuple[str, Path]], tallies: Iterable[Tally], error: Fields, stream: Mapping[str, Any]
) -> Iterator[Path]:
    """All that is looked at in a response: what it tells, what items are counted by, what an error says of itself."""
    yield from (path for name, path in told if name != "tallies")
    for tally in tallies:
        inside = [path for path, _ in tally.where] + ([tally.sum] if tally.sum is not None else [])
        yield from ((*tally.path, *path) for path in inside or [()])
    yield from (path for name in ("type", "code") for path in error.get(name, ()))
    if stream.get("end_path"):
        yield paths.parse(stream["end_path"])


def _usage(where: str, table: Mapping[str, Any]) -> UsageTable:
    _known(f"{where}.usage", table, FIELDS)
    return UsageTable(
        {
            # Interned: a call by keywords compares each name with every parameter's, first as objects, then as texts.
            sys.intern(name): tuple((item,) if isinstance(item, str) else tuple(item) for item in alternatives)
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
