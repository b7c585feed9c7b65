"""What a provider's TOML says, compiled: hosts, routes, and the shapes that are spoken there.

:mod:`llmcost.providers.compiler` makes these from the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, Final, Protocol

from llmcost.lean import dataclass
from llmcost.providers.facts import ResponseFacts
from llmcost.providers.functions import Function
from llmcost.providers.paths import Path
from llmcost.providers.scan import Skim
from llmcost.providers.usage import UsageTable

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


class RequestForm(Protocol):
    """The usual form of a request; see :mod:`llmcost.providers.usual`."""

    def read(self, body: bytes) -> tuple[Any, ...] | None:
        """The facts of a request without region and body, or None where its form is another."""


class AnswerForm(Protocol):
    """The usual form of an answer; likewise."""

    def read(self, body: bytes) -> ResponseFacts | None:
        """What an answer tells, or None where its form is another or it states no usage."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of request and response, such as OpenAI's chat.

    Attributes:
        needs: quoted keys that a request must have where the host is unknown.
        asks: by outermost key of a request, the facts that may stand there; ``tells`` the same of a response.
        asked_in: what is read of a request's JSON; ``told_in`` the same of a response.
        usual_request: the usual form of a request, ``usual_answer`` that of a whole response, where they have one.
        texts: keys of the answer's text in a whole response, counted for estimates.
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
    needs: tuple[bytes, ...] = ()
    request: Fields = field(default_factory=dict)
    asks: Heads = field(default_factory=Heads)
    request_defaults: Mapping[str, Any] = field(default_factory=dict)
    asked_in: Skim = field(default_factory=Skim)
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
    told_in: Skim = field(default_factory=Skim)
    usual_request: RequestForm | None = None
    usual_answer: AnswerForm | None = None
    texts: tuple[str, ...] = ()
    stream: Stream = Stream()
    error: Fields = field(default_factory=dict)
    refusal: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """A path pattern of a provider and the shape that is spoken there; ``end`` is the literal end of the pattern.

    ``find`` gives the shape, which is compiled when it is first asked for: a program speaks few of them. ``stated`` is
    the operation, where it is not the shape's.
    """

    provider: str
    method: str
    path: str
    end: str
    find: Callable[[], Shape]
    stated: str | None = None
    poll: bool = False
    stream: bool | None = None

    @property
    def shape(self) -> Shape:
        """The form of request and response."""
        return self.find()

    @property
    def operation(self) -> str:
        """The value of ``gen_ai.operation.name``."""
        return self.stated or self.shape.operation


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
