"""The models of a packed map, each looked for and parsed when it is first asked for.

A program uses a handful of models. Parsing the thousands of a map took a fifth of the time of its first call, and only
to part them from each other a tenth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

Entry = Mapping[str, Any]
"""One model's prices: USD a unit, by LiteLLM's field names."""

_OPENS: Final = b'"models":{\n'
_CLOSES: Final = b"\n}}"
_ROW: Final = b'\n"'
_NAMED: Final = b'":'
_NEXT: Final = b',\n"'
_MOST_KNOWN: Final = 4_096


def lines(meta: Mapping[str, Any], models: Mapping[str, Entry]) -> bytes:
    """A map as JSON with one line a model, sorted by name, in which :class:`Entries` finds them."""
    rows = ",\n".join(f"{_compact(key)}:{_compact(dict(entry))}" for key, entry in sorted(models.items()))
    return b'{"meta":' + _compact(meta).encode() + b"," + _OPENS + rows.encode() + _CLOSES


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


class Entries(Mapping[str, Entry]):
    """Model name to prices.

    Args:
        rows: the lines of the models, each after a line feed, sorted by name.
    """

    __slots__ = ("_parsed", "_rows")

    def __init__(self, rows: bytes) -> None:
        self._rows = rows
        self._parsed: dict[str, Entry | None] = {}

    @classmethod
    def of(cls, text: bytes) -> tuple[Any, Entries] | None:
        """What ``meta`` says, and the models; None where the text was not made by :func:`lines`.

        Raises:
            ValueError: it is damaged.
        """
        at = text.find(_OPENS)
        first = at + len(_OPENS)
        if at < 0 or text[first : first + 1] != b'"' or not text.endswith(_CLOSES) or text.find(b"\\", first) >= 0:
            return None
        meta = json.loads(text[:at].rstrip(b",") + b"}").get("meta")
        return meta, cls(text[first - 1 : -len(_CLOSES)])

    def __getitem__(self, key: str) -> Entry:
        """The prices of one model."""
        found = self._entry(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        """Whether the map has a model."""
        return isinstance(key, str) and self._entry(key) is not None

    def __iter__(self) -> Iterator[str]:
        """The names, in the map's order."""
        return (row.partition(_NAMED)[0].decode() for row in self._rows[len(_ROW) :].split(_NEXT))

    def __len__(self) -> int:
        """The number of models."""
        return self._rows.count(_NEXT) + 1

    def _entry(self, key: str) -> Entry | None:
        try:
            return self._parsed[key]
        except KeyError:
            pass
        name = key.encode()
        start = self._place(name)
        found = None
        if start >= 0:
            end = self._rows.find(_NEXT, start)
            found = json.loads(self._rows[start + len(_ROW + name + _NAMED) : end if end >= 0 else None])
        if found is not None or len(self._parsed) < _MOST_KNOWN:
            self._parsed[key] = found
        return found

    def _place(self, name: bytes) -> int:
        """Where a row begins, by halves; below 0 where there is none of this name."""
        rows, low, high = self._rows, 0, len(self._rows)
        while 0 <= low < high:
            start = rows.rfind(_ROW, low, (low + high) // 2 + len(_ROW))
            there = rows[start + len(_ROW) : rows.find(_NAMED, start + len(_ROW))]
            if there == name:
                return start
            if there < name:
                low = rows.find(_ROW, start + 1)
            else:
                high = start
        return -1
