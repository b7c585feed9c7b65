"""Requests and answers in their usual form, read in one go; see :mod:`llmcost.providers.leaves`.

What is found here is what :mod:`llmcost.providers.requests` and :mod:`llmcost.providers.responses` find. Whatever they
would look at beyond it (an error, items to count, a cost that is stated) makes the form another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, NamedTuple

from llmcost.calls import Usage, make_usage
from llmcost.providers.descriptor import Fields, Shape, Tally
from llmcost.providers.facts import RequestFacts, ResponseFacts, model_name
from llmcost.providers.functions import PLAIN
from llmcost.providers.leaves import EACH, NEVER, Leaf, LeafType, Leaves
from llmcost.providers.paths import Path
from llmcost.records import make_tuple

LARGEST: Final = 64_000
"""Larger texts, in bytes, are looked through for a few members (see :mod:`llmcost.providers.scan`)."""

_TEXTS: Final = ("model", "id", "service_tier", "status")
_REASONS: Final = "finish_reasons"
_READ: Final = "read by the function"


class Fact(NamedTuple):
    """What a field of a request gives: the fact, what makes it of the value, and the type of the usual value."""

    name: str
    convert: Callable[[Any], Any]
    usual: LeafType | None


class UsualRequest:
    """The usual form of a shape's requests.

    Args:
        fields: where the fields of a request stand.
        facts: by field, the fact that it gives and its type; a field of none makes the form another.
        stream: whether an answer is streamed where the request does not say.

    Raises:
        ValueError: the fields can't be told apart in this way.
    """

    __slots__ = ("_leaves",)

    def __init__(self, fields: Fields, facts: Mapping[str, Fact], *, stream: bool) -> None:
        leaves: list[Leaf] = []
        for field, found in fields.items():
            name, kind = facts[field].name, facts[field].usual
            for path in found:
                plain = _before_lists(path)
                leaves.append(
                    Leaf(name, path, kind) if kind is not None and plain == path else Leaf(NEVER, plain, "any")
                )
        absent = RequestFacts(stream=stream)._asdict()
        self._leaves = Leaves(leaves, {name: absent[name] for name in RequestFacts._fields[:-2]})

    def read(self, body: bytes) -> tuple[Any, ...] | None:
        """The facts of a request without region and body, or None where its form is another."""
        return self._leaves.of(body) if len(body) <= LARGEST else None


class UsualAnswer:
    """The usual form of a shape's whole answers: the usage object stands at its shortest place (events of a stream wrap
    it), and counts something.

    Args:
        shape: what its answers tell.
        others: places that make the form another.

    Raises:
        ValueError: the fields can't be told apart in this way, or there is no usage.
    """

    __slots__ = ("_leaves", "_plain", "_words")

    def __init__(self, shape: Shape, others: Iterable[Path]) -> None:
        told = shape.response
        places = told.get("usage", ())
        if not places or shape.asked:
            raise ValueError("the usage object is not all that counts")
        stated = min(places, key=len)
        plain = PLAIN.get(shape.function) if shape.function is not None else None
        if shape.function is not None and plain is None:
            raise ValueError("the function reads more than one key")
        leaves = [Leaf(name, path, "text") for name in _TEXTS for path in told.get(name, ())]
        # The last place of a reason wins, the first of all else.
        leaves += [Leaf(_REASONS, path, "text") for path in reversed(told.get(_REASONS, ()))]
        leaves += [Leaf(_READ, (*stated, plain.key), plain.type)] if plain is not None else []
        for name, alternatives in shape.usage.rows.items():
            for keys in alternatives:
                first, *further = ((*stated, *key.split(".")) for key in keys)
                leaves.append(Leaf(name, first, "count", tuple(further)))
        before = places[: places.index(stated)]
        never = [*before, *others, *(tally.path for tally in shape.tallies if not tally.where)]
        leaves += [Leaf(NEVER, path, "any") for path in _outermost(map(_before_lists, never))]
        self._plain = plain
        self._leaves = Leaves(leaves, dict.fromkeys((*_TEXTS, _REASONS, _READ)) | _usage_up_to(shape.usage.rows))
        self._words = tuple({_word(tally): None for tally in shape.tallies if tally.where})

    def read(self, body: bytes) -> ResponseFacts | None:
        """What an answer tells, or None where its form is another or it states no usage."""
        if len(body) > LARGEST or (self._words and any(word in body for word in self._words)):
            return None
        values = self._leaves.of(body)
        if values is None:
            return None
        model, id_, tier, status, reasons, read, *counts = values
        if type(reasons) is list:
            if len(reasons) != 1:
                return None
            reasons = getattr(reasons[0], EACH)
        if self._plain is not None and not self._plain.holds(read, counts[0], counts[1]):
            return None
        if counts[0] is None and not any(counts):
            return None
        finishes = (reasons,) if reasons is not None else ()
        usage = make_usage(*counts)
        return make_tuple(
            ResponseFacts,
            (model_name(model), id_, finishes, usage, None, (), tier, status, None, None, None, 0, True),
        )


def _usage_up_to(names: Iterable[str]) -> dict[str, Any]:
    """The fields of a usage with their defaults, as far as the last of these."""
    absent = {field.name: field.default for field in fields(Usage)}
    last = max(map(list(absent).index, names))
    return dict(list(absent.items())[: last + 1])


def _word(tally: Tally) -> bytes:
    """What stands in every answer that has items of this kind."""
    ((_, (word, *_)), *_) = tally.where
    return str(word).encode()


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths that do not go on where another ends."""
    known = set(paths)
    return [path for path in sorted(known, key=str) if not any(path[:at] in known for at in range(1, len(path)))]


def _before_lists(path: Path) -> Path:
    """The part of a path that leads to its first list."""
    whole = [at for at, segment in enumerate(path) if type(segment) is int or segment == "*"]
    return path[: whole[0]] if whole else path
