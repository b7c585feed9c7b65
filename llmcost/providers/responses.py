"""What a response says: facts collected from one JSON body or from the events of a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from llmcost.calls import Usage
from llmcost.providers import paths, scan
from llmcost.providers.descriptor import Shape, Tally
from llmcost.providers.facts import RequestFacts, ResponseFacts, model_name
from llmcost.providers.functions import Counts, Stated, number
from llmcost.providers.usage import build, merge
from llmcost.providers.wanted import load

_INSTEAD_OF_TOKENS: Final = frozenset({"input_seconds", "input_characters"})
"""What a response also tells, but bills only where it does not count tokens."""

_SEVERAL: Final = 2
_OTHER_ERROR: Final = "_OTHER"


class Collector:
    """Takes documents, the whole body or event by event, and gives the facts. Odd documents are skipped."""

    __slots__ = (
        "_costs",
        "_counts",
        "_finishes",
        "_shape",
        "_tallies",
        "_usage",
        "code",
        "error",
        "id",
        "model",
        "status",
        "tier",
    )

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._usage: dict[str, Any] = {}
        self._finishes: dict[Any, str] = {}
        self._counts: dict[str, float] = {}
        self._tallies: dict[str, float] = {}
        self._costs: float | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.tier: str | None = None
        self.status: str | None = None
        self.error: str | None = None
        self.code: str | None = None

    @property
    def named(self) -> bool:
        """Whether everything that the first events tell has been seen."""
        fields = self._shape.response
        return (self.model is not None or "model" not in fields) and (self.id is not None or "id" not in fields)

    @property
    def finished(self) -> bool:
        """Whether a finish reason was seen."""
        return bool(self._finishes)

    @property
    def has_usage(self) -> bool:
        """Whether a usage object with numbers was seen."""
        return bool(self._usage)

    def take(self, document: Any) -> None:
        """Read one document."""
        if not isinstance(document, dict):
            return
        for name, key in self._shape.tells.of(document):
            if name in _VALUES:
                value = paths.first(document, self._shape.response[name]) if key is None else document[key]
                _VALUES[name](self, value)
            else:
                _TAKES[name](self, document)

    def _take_model(self, value: Any) -> None:
        if self.model is None:
            self.model = _text(value)

    def _take_id(self, value: Any) -> None:
        if self.id is None:
            self.id = _text(value)

    def _take_usage(self, document: Mapping[str, Any]) -> None:
        shape = self._shape
        for path in shape.response["usage"]:
            found = paths.get(document, path)
            if isinstance(found, dict) and found:
                if shape.complete is not None and found.get(shape.complete) is not None:
                    self._usage = {}
                if self._usage:
                    merge(self._usage, found, shape.merge)
                else:
                    self._usage = dict(found)
                break

    def _take_tier(self, value: Any) -> None:
        self.tier = _named(self._shape.names.get("service_tier"), value) or self.tier

    def _take_status(self, value: Any) -> None:
        self.status = _text(value) or self.status

    def _take_counts(self, document: Mapping[str, Any]) -> None:
        for name, where in self._shape.counts.items():
            stated = number(paths.first(document, where))
            if stated is not None:
                self._counts[name] = stated

    def _take_costs(self, document: Mapping[str, Any]) -> None:
        for cost in self._shape.costs:
            amount = paths.get(document, cost.path)
            if isinstance(amount, int | float) and number(amount) is not None:
                self._costs = amount * cost.scale
                break

    def finish_reason(self, text: str) -> None:
        """Note a finish reason that was found by a scan."""
        self._finishes.setdefault(0, self._shape.names.get("finish_reasons", {}).get(text, text))

    def _take_finishes(self, document: Mapping[str, Any]) -> None:
        names = self._shape.names.get("finish_reasons")
        for path in self._shape.response["finish_reasons"]:
            for key, value in paths.each(document, path):
                if value is not None and (reason := _named(names, value)):
                    self._finishes[key] = reason

    def _take_tallies(self, document: Mapping[str, Any]) -> None:
        for tally in self._shape.tallies:
            self._tally(tally, document)

    def _tally(self, tally: Tally, document: Mapping[str, Any]) -> None:
        items = [
            item
            for _, item in paths.each(document, tally.path)
            if item is not None and all(paths.get(item, path) in values for path, values in tally.where)
        ]
        found: float = len(items)
        if tally.sum is not None:
            found = sum(number(paths.get(item, tally.sum)) or 0 for item in items)
        if found:
            self._tallies[tally.field] = max(found, self._tallies.get(tally.field, 0))

    def _take_error(self, document: Mapping[str, Any]) -> None:
        error = self._shape.error
        mark = paths.first(document, error.get("mark", ()))
        if not mark:
            return
        kind = paths.first(document, error.get("type", ()))
        code = paths.first(document, error.get("code", ()))
        self.code = _name(code) or self.code
        self.error = _name(kind) or self.code or _OTHER_ERROR

    def facts(self, request: RequestFacts, http_status: int, characters: int, *, ended: bool) -> ResponseFacts:
        """Everything read so far."""
        usage, own, parts = self._usages(request, http_status)
        error = self.error
        if http_status >= 400:
            error = error if error and error != _OTHER_ERROR else str(http_status)
        found = self._finishes
        finishes = (
            tuple(found.values()) if len(found) < _SEVERAL else tuple(found[key] for key in sorted(found, key=str))
        )
        return ResponseFacts(
            model=model_name(self.model),
            id=self.id,
            finish_reasons=finishes,
            usage=usage,
            own_usage=own,
            parts=parts,
            service_tier=self.tier,
            status=self.status,
            error_type=error,
            error_code=self.code,
            provider_cost=self._costs,
            output_characters=characters,
            ended=ended or bool(finishes),
        )

    def _usages(
        self, request: RequestFacts, http_status: int
    ) -> tuple[Usage | None, Usage | None, tuple[tuple[str, Usage], ...]]:
        shape = self._shape
        counts: Counts = {}
        parts: list[tuple[str, Counts]] = []
        if self._usage:
            counts = shape.usage.count(self._usage)
            if shape.function is not None:
                parts = shape.function(Stated(counts, self._usage))
        if self._counts or self._tallies:
            self._add_counted(counts)
        if shape.asked and self.error is None and http_status < 400:
            for field, name in shape.asked.items():
                asked = request.asked(name)
                if asked is not None:
                    counts.setdefault(field, asked)
        if not counts:
            return None, None, ()
        usage = _asked_for(build(counts), request)
        if not parts:
            return usage, None, ()
        own = dict(counts)
        for _, part in parts:
            for field, value in part.items():
                own[field] = max(0, own.get(field, 0) - value)
        return usage, build(own), tuple((model, build(part)) for model, part in parts)

    def _add_counted(self, counts: Counts) -> None:
        """What stands outside the usage object, where that does not have it."""
        by_token = "input_tokens" in counts
        for field, value in (*self._counts.items(), *self._tallies.items()):
            if not (by_token and field in _INSTEAD_OF_TOKENS):
                counts.setdefault(field, value)


_VALUES: Final[Mapping[str, Callable[[Collector, Any], None]]] = {
    "model": Collector._take_model,  # noqa: SLF001 - the class's own table
    "id": Collector._take_id,  # noqa: SLF001
    "service_tier": Collector._take_tier,  # noqa: SLF001
    "status": Collector._take_status,  # noqa: SLF001
}
"""What takes the value of a field."""

_TAKES: Final[Mapping[str, Callable[[Collector, Mapping[str, Any]], None]]] = {
    "usage": Collector._take_usage,  # noqa: SLF001
    "finish_reasons": Collector._take_finishes,  # noqa: SLF001
    "counts": Collector._take_counts,  # noqa: SLF001
    "costs": Collector._take_costs,  # noqa: SLF001
    "tallies": Collector._take_tallies,  # noqa: SLF001
    "error": Collector._take_error,  # noqa: SLF001
}
"""What takes from a whole document. No step depends on another."""


def _asked_for(usage: Usage, request: RequestFacts) -> Usage:
    """The usage with what only the request says about it, and the price depends on."""
    if usage.images and (request.image_size or request.image_quality):
        usage = replace(usage, image_size=request.image_size, image_quality=request.image_quality)
    if usage.web_searches and request.search_context:
        usage = replace(usage, search_context=request.search_context)
    return usage


def usual(shape: Shape, body: bytes, request: RequestFacts) -> ResponseFacts | None:
    """The facts of a whole answer in the shape's usual form; None where it has another, or states no usage."""
    told = shape.usual_answer.read(body) if shape.usual_answer is not None else None
    if told is None:
        return None
    if shape.names:
        named = shape.names.get("finish_reasons")
        told = told._replace(finish_reasons=tuple(_named(named, reason) or reason for reason in told.finish_reasons))
    usage = _asked_for(told.usage, request) if told.usage is not None else None
    return told if usage is told.usage else told._replace(usage=usage)


def large(shape: Shape, body: bytes, collector: Collector, choices: int | None) -> bool:
    """Read a JSON body, the large ones by scanning. Tells whether it was a complete object."""
    several = choices is not None and choices > 1
    document = scan.members(body, shape.told_in, whole=several)
    if document is None:
        parsed = load(body)
        if isinstance(parsed, list):
            for item in parsed:
                collector.take(item)
            return True
        return False
    collector.take(document)
    if collector.finished or len(body) <= scan.SMALL or not shape.told_in.bulk:
        return True
    at = body.find(shape.told_in.bulk[0], 0, scan.WINDOW)
    if at >= 0 and shape.told_in.bulk[0][1:-1].decode() not in document:
        for path in shape.response.get("finish_reasons", ()):
            reason = scan.value_near(body, f'"{path[-1]}"'.encode(), at) if "*" in path else None
            if reason:
                collector.finish_reason(reason)
                break
    return True


_NO_NAMES: Final = ("?", "://")
_LONGEST_NAME: Final = 200


def _name(value: Any) -> str | None:
    """An error's type or code. Where a gateway puts a text there, it may repeat a URL with a key in it."""
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or any(mark in value for mark in _NO_NAMES):
        return None
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _named(names: Mapping[str, str] | None, value: Any) -> str | None:
    """A value as text, by name where the provider sent a number."""
    if type(value) is not str and type(value) is not int:
        return None
    text = str(value)
    return (names.get(text, text) if names else text) or None
