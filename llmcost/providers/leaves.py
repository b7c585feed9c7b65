"""Values at fixed places of a JSON object, decoded straight into their types.

Most requests and answers of a shape have one form. Such a text becomes a record of just the fields that are wanted: the
decoder checks their types on the way, and one call takes all values out. A text of any other form gives nothing here
and goes the general way (:mod:`llmcost.providers.wanted`), which finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import compress, repeat
from operator import attrgetter, is_not
from typing import Annotated, Any, Final, NamedTuple

from llmcost.providers.paths import Path


class Leaf(NamedTuple):
    """A value: the name under which it is given, where it stands, and its type, one of :data:`TYPES`.

    An empty text is of no type, as it may mean that another place has it.

    A path with ``*`` before its last segment gives a list of records with the one attribute :data:`EACH`.
    """

    name: str
    path: Path
    type: str


EACH: Final = "value"
_LEAST: Final = 2
_Tree = dict[Any, Any]


def _types() -> Mapping[str, Any]:
    from msgspec import Meta

    return {
        "text": Annotated[str, Meta(min_length=1)],
        "count": Annotated[int, Meta(ge=0)],
        "number": float,
        "flag": bool,
        "any": Any,
    }


TYPES: Final = frozenset({"text", "count", "number", "flag", "any"})


class Leaves:
    """The values of one form.

    Args:
        leaves: what is wanted. Where two have one name, the later one wins if both are there.

    Raises:
        ValueError: there are none, or one path goes on where another ends.
    """

    __slots__ = ("_decode", "_names", "_paths", "_tree", "_values")

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self._names: tuple[str, ...] = ()
        self._paths: tuple[str, ...] = ()
        self._tree: _Tree = {}
        self._decode: Callable[[bytes], Any] | None = None
        for leaf in leaves:
            self._names += (leaf.name,)
            self._paths += (".".join(self._place(leaf)),)
        if not self._paths:
            raise ValueError("no leaves")
        self._values: Callable[[Any], tuple[Any, ...]] = attrgetter(*self._paths, *self._paths[:1])

    def of(self, body: bytes) -> dict[str, Any] | None:
        """The values by name, without those that are absent or null; None where the form is another."""
        decode = self._decode or self._made()
        try:
            record = decode(body)
        except (ValueError, RecursionError):
            return None
        try:
            values = self._values(record)
        except AttributeError:  # an object on the way is null
            values = tuple([_at(record, path) for path in self._paths])
        # One value is more than the names, as a getter of a single one gives no tuple. All of it runs without bytecode.
        return dict(compress(zip(self._names, values, strict=False), map(is_not, values, repeat(None))))

    def _place(self, leaf: Leaf) -> list[str]:
        """Put a leaf into the tree; returns the attributes that lead to it."""
        path: Path = leaf.path
        kind: tuple[str, ...] = (leaf.type,)
        if "*" in path[-2:-1]:
            path, kind = path[:-2], (leaf.type, str(path[-1]))
        node, way = self._tree, list[str]()
        for segment in path:
            if type(segment) is not str or segment == "*":
                raise ValueError(f"{leaf.path}: {segment} is no key")
            last = len(way) == len(path) - 1
            below = node.setdefault(segment, kind if last else {})
            if below != kind if last else type(below) is not dict:
                raise ValueError(f"{leaf.path}: something else stands at {segment}")
            way.append(_attribute(node, segment))
            node = below
        return way

    def _made(self) -> Callable[[bytes], Any]:
        from msgspec.json import Decoder

        self._decode = Decoder(_record(self._tree, _types())).decode
        return self._decode


def _attribute(node: _Tree, segment: Any) -> str:
    """The name of a record's attribute; a key of JSON may be no name of Python."""
    return f"at_{list(node).index(segment)}"


def _record(tree: _Tree, types: Mapping[str, Any]) -> Any:
    import msgspec

    fields: list[tuple[str, Any, Any]] = []
    for key, below in tree.items():
        name = _attribute(tree, key)
        if isinstance(below, dict):
            inner = _record(below, types)
            fields.append((name, inner | None, msgspec.field(default_factory=inner)))
        elif len(below) < _LEAST:
            fields.append((name, types[below[0]] | None if below[0] != "any" else Any, None))
        else:
            item = msgspec.defstruct("Item", [(EACH, types[below[0]] | None, None)], rename={EACH: below[1]})
            fields.append((name, list[item] | None, None))  # type: ignore[valid-type]
    names = {_attribute(tree, key): key for key in tree}
    return msgspec.defstruct("Leaves", fields, rename=names, gc=False)


def _at(record: Any, path: str) -> Any:
    for attribute in path.split("."):
        record = getattr(record, attribute, None)
    return record
