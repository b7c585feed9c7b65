"""The models of a packed map, each parsed when it is first asked for.

A program uses a handful of models. Parsing the thousands of a map took a fifth of the time of its first call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

Entry = Mapping[str, Any]
"""One model's prices: USD a unit, by LiteLLM's field names."""

_OPENS: Final = b'"models":{\n'
_CLOSES: Final = b"\n}}"
_NEXT: Final = ',\n"'


def lines(meta: Mapping[str, Any], models: Mapping[str, Entry]) -> bytes:
    """A map as JSON with one line a model, which :meth:`Entries.of` can take apart."""
    rows = ",\n".join(f"{_compact(key)}:{_compact(dict(entry))}" for key, entry in models.items())
    return b'{"meta":' + _compact(meta).encode() + b"," + _OPENS + rows.encode() + _CLOSES


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


class Entries(Mapping[str, Entry]):
    """Model name to prices."""

    __slots__ = ("_parsed", "_texts")

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts
        self._parsed: dict[str, Entry] = {}

    @classmethod
    def of(cls, text: bytes) -> tuple[Any, Entries] | None:
        """What ``meta`` says, and the models; None where the text was not made by :func:`lines`.

        Raises:
            ValueError: it is damaged.
        """
        head, opens, rest = text.partition(_OPENS)
        if not opens or not rest.startswith(b'"') or not rest.endswith(_CLOSES) or b"\\" in rest:
            return None
        rows = rest.decode()[1 : -len(_CLOSES)].split(_NEXT)
        # One expression over all rows, since it runs at the start of each program.
        return json.loads(head.rstrip(b",") + b"}").get("meta"), cls(dict([row.split('":', 1) for row in rows]))

    def __getitem__(self, key: str) -> Entry:
        """The prices of one model."""
        found = self._parsed.get(key)
        if found is None:
            found = self._parsed[key] = json.loads(self._texts[key])
        return found

    def __contains__(self, key: object) -> bool:
        """Whether the map has a model."""
        return key in self._texts

    def __iter__(self) -> Iterator[str]:
        """The names, in the map's order."""
        return iter(self._texts)

    def __len__(self) -> int:
        """The number of models."""
        return len(self._texts)
