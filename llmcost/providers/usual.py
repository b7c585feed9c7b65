"""Requests and answers in their usual form, read in one go; see :mod:`llmcost.providers.leaves`.

What is found here is what :mod:`llmcost.providers.requests` and :mod:`llmcost.providers.responses` find. Whatever they
would look at beyond it (an error, items to count, a cost that is stated) makes the form another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmcost.calls import Usage
from llmcost.providers.functions import READS, Stated
from llmcost.providers.leaves import EACH, Leaf, Leaves
from llmcost.providers.paths import Path
from llmcost.providers.usage import Alternatives

if TYPE_CHECKING:
    from llmcost.providers.descriptor import Fields, Shape, Tally

LARGEST: Final = 8_000
"""Larger texts, in bytes, are looked through for a few members (see :mod:`llmcost.providers.scan`)."""

_OTHER: Final = "other"
"""The name of what makes the form another."""
_STATED: Final = "stated."
"""Stands before the keys of the usage object that a provider's function reads."""
_REASONS: Final = "finish_reasons"
_TEXTS: Final = ("model", "id", "service_tier", "status")


class Told(NamedTuple):
    """What an answer in its usual form tells; see :class:`llmcost.providers.responses.ResponseFacts`."""

    model: str | None
    id: str | None
    service_tier: str | None
    status: str | None
    finish_reasons: tuple[str, ...]
    usage: Usage


Sum = tuple[str, tuple[str, ...]]
"""A count that is the sum of several values, and their names, where it does not stand in one place."""


class Fact(NamedTuple):
    """What a field of a request gives: the fact, what makes it of the value, and the type of the usual value."""

    name: str
    convert: Callable[[Any], Any]
    usual: str | None


class UsualRequest:
    """The usual form of a shape's requests.

    Args:
        fields: where the fields of a request stand.
        facts: by field, the fact that it gives and its type; a field of none makes the form another.

    Raises:
        ValueError: the fields can't be told apart in this way.
    """

    __slots__ = ("_leaves",)

    def __init__(self, fields: Fields, facts: Mapping[str, Fact]) -> None:
        leaves: list[Leaf] = []
        for field, found in fields.items():
            name, kind = facts[field].name, facts[field].usual
            for path in reversed(found):
                plain = _before_lists(path)
                leaves.append(Leaf(name, path, kind) if kind and plain == path else Leaf(_OTHER, plain, "any"))
        self._leaves = Leaves(leaves)

    def read(self, body: bytes) -> dict[str, Any] | None:
        """The facts of a request, or None where its form is another."""
        found = self._leaves.of(body) if len(body) <= LARGEST else None
        return None if found is None or _OTHER in found else found


class UsualAnswer:
    """The usual form of a shape's whole answers: the usage object stands at its shortest place (events of a stream wrap
    it), and counts something.

    Args:
        shape: what its answers tell.
        others: places that make the form another.

    Raises:
        ValueError: the fields can't be told apart in this way, or there is no usage.
    """

    __slots__ = ("_function", "_leaves", "_stated", "_sums", "_words")

    def __init__(self, shape: Shape, others: Iterable[Path]) -> None:
        fields = shape.response
        places = fields.get("usage", ())
        if not places or shape.asked:
            raise ValueError("the usage object is not all that counts")
        stated = min(places, key=len)
        leaves = [Leaf(name, path, "text") for name in _TEXTS for path in reversed(fields.get(name, ()))]
        leaves += [Leaf(_REASONS, path, "text") for path in fields.get(_REASONS, ())]
        reads = READS[shape.function] if shape.function is not None else {}
        leaves += [Leaf(_STATED + key, (*stated, key), kind) for key, kind in reads.items()]
        sums: list[Sum] = []
        for name, alternatives in shape.usage.rows.items():
            found, parts = _places(name, alternatives)
            leaves += [Leaf(each, (*stated, *key.split(".")), "count") for each, key in found]
            sums += parts
        before = places[: places.index(stated)]
        leaves += [Leaf(_OTHER, _before_lists(path), "any") for path in (*before, *others)]
        leaves += [Leaf(_OTHER, _before_lists(tally.path), "any") for tally in shape.tallies if not tally.where]
        self._leaves = Leaves(leaves)
        self._function = shape.function
        self._stated = tuple((_STATED + key, key) for key in reads)
        self._sums = tuple(sums)
        self._words = tuple({_word(tally): None for tally in shape.tallies if tally.where})

    def read(self, body: bytes) -> Told | None:
        """What an answer tells, or None where its form is another or it states no usage."""
        if len(body) > LARGEST or (self._words and any(word in body for word in self._words)):
            return None
        found = self._leaves.of(body)
        if found is None or _OTHER in found:
            return None
        take = found.pop
        texts = take("model", None), take("id", None), take("service_tier", None), take("status", None)
        reasons = take(_REASONS, None)
        if type(reasons) is list:
            if len(reasons) != 1:
                return None
            reasons = getattr(reasons[0], EACH)
        stated = {key: take(name, None) for name, key in self._stated}
        for name, parts in self._sums:
            values = [take(part) for part in parts if part in found]
            if values and name not in found:
                found[name] = sum(values)
        if "input_tokens" not in found and not any(found.values()):
            return None
        if self._function is not None and self._function(Stated(found, stated)):
            return None
        return Told(*texts, (reasons,) if reasons is not None else (), Usage(**found))


def _places(name: str, alternatives: Alternatives) -> tuple[list[tuple[str, str]], list[Sum]]:
    """The leaves of a count, the likeliest last, and the sum that stands in for them."""
    *first, last = alternatives
    if any(len(keys) > 1 for keys in first):
        raise ValueError(f"{name}: a sum goes before a single place")
    found = [(name, keys[0]) for keys in reversed(first)]
    if len(last) == 1:
        return [(name, last[0]), *found], []
    parts = tuple(f"{name}+{key}" for key in last)
    return [*zip(parts, last, strict=True), *found], [(name, parts)]


def _word(tally: Tally) -> bytes:
    """What stands in every answer that has items of this kind."""
    ((_, (word, *_)), *_) = tally.where
    return str(word).encode()


def _before_lists(path: Path) -> Path:
    """The part of a path that leads to its first list."""
    whole = [at for at, segment in enumerate(path) if type(segment) is int or segment == "*"]
    return path[: whole[0]] if whole else path
