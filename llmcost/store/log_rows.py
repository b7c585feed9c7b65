"""The rows of a usage log: CSV with any usual separator, JSON lines, or a JSON list."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any, Final, TextIO

from llmcost.errors import ConfigError, LLMCostError

_SEPARATORS: Final = (",", ";", "\t")


class BadRow(LLMCostError):
    """A row that is no call. The message says why."""


class Head(tuple[str, ...]):
    """The names of a table's columns, which come before its first row."""

    __slots__ = ()


def rows(source: TextIO) -> Iterator[tuple[int, Any]]:
    """The rows of a log with the line (of a JSON list: the item) that each stands at. A table begins with its
    :class:`Head`. A row that can't be read is the reason why, a :class:`BadRow`.

    Raises:
        ConfigError: the whole file can't be read.
    """
    start = source.read(1)
    while start.isspace():
        start = source.read(1)
    if not start:
        raise ConfigError("nothing in it")
    source.seek(0)
    if start == "[":
        yield from enumerate(_listed(source), 1)
    elif start == "{":
        yield from _lines(source)
    else:
        yield from _table(source)


def _listed(source: TextIO) -> list[Any]:
    try:
        found = json.load(source)
    except ValueError as exc:
        raise ConfigError(f"not JSON: {exc}") from None
    return list(found)


def _lines(source: TextIO) -> Iterator[tuple[int, Any]]:
    any_read = False
    for number, line in enumerate(source, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as exc:
                if not any_read:
                    raise ConfigError(f"neither JSON lines nor a JSON list: {exc}") from None
                yield number, BadRow(f"not JSON: {exc}")
            else:
                any_read = True
                yield number, row


def _table(source: TextIO) -> Iterator[tuple[int, Any]]:
    head = source.readline()
    source.seek(0)
    reader = csv.DictReader(source, restkey="", strict=True, delimiter=max(_SEPARATORS, key=head.count))
    try:
        yield 1, Head(reader.fieldnames or ())
    except csv.Error as exc:
        raise ConfigError(f"not CSV: {exc}") from None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield reader.line_num, BadRow(f"not CSV: {exc}")
            continue
        first = next(iter(row.values()), None)
        if isinstance(first, str) and first.startswith("#"):
            continue  # the note of a shortened export
        short = None in row.values() or "" in row
        yield reader.line_num, BadRow("not as many cells as the head has columns") if short else row
