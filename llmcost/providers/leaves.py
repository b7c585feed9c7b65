"""Values at fixed places of a JSON object, decoded straight into their types.

Most requests and answers of a shape have one form. Such a text becomes a record of just the fields that are wanted: the
decoder checks their types on the way, and a function made for the form takes them out. A text of any other form gives
nothing here and goes the general way (:mod:`llmcost.providers.wanted`), which finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

from llmcost.providers.paths import Path

LeafType = Literal["text", "count", "number", "flag", "any"]


class Leaf(NamedTuple):
    """A value: its name, where it stands, and its type. With ``also`` it is the sum of all these places that are there.

    A path with ``*`` before its last segment gives a list of records with the one attribute :data:`EACH`. An empty text
    is of no type, as it may mean that another place has it.
    """

    name: str
    path: Path
    type: LeafType
    also: tuple[Path, ...] = ()


EACH: Final = "value"
NEVER: Final = ""
"""The name of values that must be absent or null."""
_Tree = dict[Any, Any]
_Read = Callable[[bytes], tuple[Any, ...] | None]


class Leaves:
    """The values of one form.

    Args:
        leaves: what is wanted. Of several with one name the first that is there is given.
        names: which values :meth:`of` gives, in this order, and what it gives where they are absent or null.

    Raises:
        ValueError: there are no leaves, or one path goes on where another ends.
    """

    __slots__ = ("_leaves", "_names", "_read", "_tree")

    def __init__(self, leaves: Iterable[Leaf], names: Mapping[str, Any]) -> None:
        self._leaves = tuple(leaves)
        self._tree: _Tree = {}
        for leaf in self._leaves:
            for path in (leaf.path, *leaf.also):
                _place(self._tree, leaf._replace(path=path))
        self._names = names
        if not self._leaves:
            raise ValueError("no leaves")
        self._read: _Read | None = None

    def of(self, body: bytes) -> tuple[Any, ...] | None:
        """The values, or None where the form is another."""
        read = self._read or self._made()
        try:
            return read(body)
        except (ValueError, RecursionError):
            return None

    def _made(self) -> _Read:
        from msgspec.json import Decoder  # some milliseconds, so not before the first call

        scope: dict[str, Any] = {}
        scope["decode"] = Decoder(_record(self._tree, "record", _types(), scope)).decode
        self._read = _reader(self._names, self._leaves, self._tree, scope)
        return self._read


def _place(tree: _Tree, leaf: Leaf) -> None:
    """Put a leaf into a tree of the objects that are walked through."""
    path, kind = _way(leaf)
    for segment in path[:-1]:
        tree = tree.setdefault(segment, {})
        if type(tree) is not dict:
            raise ValueError(f"{leaf.path}: a value stands at {segment}")
    if tree.setdefault(path[-1], kind) != kind:
        raise ValueError(f"{leaf.path}: something else stands there")


def _way(leaf: Leaf) -> tuple[Path, tuple[str, ...]]:
    """The keys to a leaf, and its type; with the key inside the items where it is a list."""
    path, kind = leaf.path, (leaf.type,)
    if "*" in path[-2:-1]:
        return _keys(leaf, path[:-2]), (*kind, str(path[-1]))
    return _keys(leaf, path), kind


def _keys(leaf: Leaf, path: Path) -> Path:
    if any(type(segment) is not str or segment == "*" for segment in path):
        raise ValueError(f"{leaf.path}: not every segment is a key")
    return path


# --- the record -------------------------------------------------------------------------------------------------


def _types() -> Mapping[LeafType, Any]:
    from msgspec import Meta

    text, count = Annotated[str, Meta(min_length=1)], Annotated[int, Meta(ge=0)]
    return {"text": text, "count": count, "number": float, "flag": bool, "any": Any}


def _record(tree: _Tree, name: str, types: Mapping[LeafType, Any], scope: dict[str, Any]) -> Any:
    """The type of the objects of a tree. An object without fields is left in ``scope``, as ``empty_`` and its name."""
    from msgspec import defstruct

    fields: list[tuple[str, Any, Any]] = []
    for number, below in enumerate(tree.values()):
        if type(below) is dict:
            kind = _record(below, f"{name}_{number}", types, scope)
        elif len(below) == 1:
            kind = types[below[0]]
        else:
            item = defstruct("Item", [(EACH, types[below[0]] | None, None)], rename={EACH: below[1]})
            kind = list[item]  # type: ignore[valid-type]
        fields.append((f"at_{number}", kind if kind is Any else kind | None, None))
    made = defstruct("Record", fields, rename={f"at_{number}": key for number, key in enumerate(tree)}, gc=False)
    scope[f"empty_{name}"] = made()
    return made


# --- the function that decodes a text and takes the values out --------------------------------------------------


def _reader(names: Mapping[str, Any], leaves: Sequence[Leaf], tree: _Tree, scope: dict[str, Any]) -> _Read:
    """A function from text to values. Plain loads of attributes take a tenth of what a loop over getters takes."""
    lines = ["record = decode(body)", *_openings(tree, "record")]
    lines += [f"if {_place_of(leaf, tree)} is not None: return None" for leaf in leaves if leaf.name == NEVER]
    values: list[str] = []
    for number, (name, absent) in enumerate(names.items()):
        value, own = f"value_{number}", [leaf for leaf in leaves if leaf.name == name]
        values.append(value if own else repr(absent))
        lines += [f"{value} = {_expression(leaf, tree)}" for leaf in own[:1]]
        lines += [f"if {value} is None: {value} = {_expression(leaf, tree)}" for leaf in own[1:]]
        lines += [f"if {value} is None: {value} = {absent!r}"] if own and absent is not None else []
    source = "".join(f"    {line}\n" for line in [*lines, f"return ({', '.join(values)},)"])
    exec("def read(body):\n" + source, scope)  # noqa: S102 - as dataclasses does; no text of a file is in it
    made: _Read = scope["read"]
    return made


def _openings(tree: _Tree, name: str) -> Iterator[str]:
    """The objects that are walked through, each in a variable."""
    for number, below in enumerate(tree.values()):
        if type(below) is dict:
            inner = f"{name}_{number}"
            yield f"{inner} = {name}.at_{number} or empty_{inner}"
            yield from _openings(below, inner)


def _expression(leaf: Leaf, tree: _Tree) -> str:
    """What gives the value of a leaf."""
    places = [_place_of(leaf._replace(path=path), tree) for path in (leaf.path, *leaf.also)]
    if len(places) == 1:
        return places[0]
    nothing = " and ".join(f"{place} is None" for place in places)
    return f"None if {nothing} else " + " + ".join(f"({place} or 0)" for place in places)


def _place_of(leaf: Leaf, tree: _Tree) -> str:
    """The attribute at which a leaf stands, of the object that has it."""
    name, (path, _) = "record", _way(leaf)
    for segment in path[:-1]:
        name, tree = f"{name}_{list(tree).index(segment)}", tree[segment]
    return f"{name}.at_{list(tree).index(path[-1])}"
