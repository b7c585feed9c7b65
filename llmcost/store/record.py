"""One line of the spool: a :class:`~llmcost.calls.Call`, or a mark, as versioned JSON.

A line is a list of values in the order of the layouts below: names would double its size and the time to write it.
New fields are appended to a layout, so a reader that knows more or fewer of them than the writer still reads the line.
``VERSION`` changes only where the meaning of a place does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import attrgetter, itemgetter
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from llmcost.calls import Attribution, BilledPart, Call, CallSite, Cost, Usage

VERSION: Final = 1


class UnreadableLine(ValueError):
    """A spool line is torn, or no record at all."""


class NewerLine(ValueError):
    """A spool line was written by a newer llmcost, whose records mean something else."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is counted but is no call.

    ``kind`` is ``unseen`` (a request to a provider that could not be read as a call; ``subject`` is its host),
    ``dropped`` (calls lost while the store could not be written) or ``torn`` (lines cut by a kill or a full disk).
    """

    kind: str
    subject: str
    count: int
    at_ns: int


# --- layouts ----------------------------------------------------------------------------------------------------


class _Layout:
    """The order in which the fields of a record stand in a line. Append only.

    Args:
        shape: the record's class.
        often: the fields that mostly hold something.
        seldom: the rest. Where all of them have their defaults, which is nearly always, they are left out.
    """

    def __init__(self, shape: type, often: str, seldom: str = "") -> None:
        self.names: Final = (*often.split(), *seldom.split())
        self._values: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*self.names)
        self._often: Final = len(often.split())
        by_name = {field.name: field for field in fields(shape)}
        self._defaults: Final = tuple(_default(by_name[name]) for name in seldom.split())

    def write(self, record: object) -> tuple[Any, ...]:
        """The values of a record, in order."""
        values = self._values(record)
        return values[: self._often] if values[self._often :] == self._defaults else values

    def pick(self, *names: str) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """A getter of some of the ``often`` fields from the values of a line."""
        return itemgetter(*(self.names[: self._often].index(name) for name in names))

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """The fields by name. A line of an older writer has fewer of them, one of a newer writer more."""
        return dict(zip(self.names, values, strict=False))


def _default(field: Field[Any]) -> Any:
    return {} if field.default is MISSING else field.default


CALL: Final = _Layout(
    Call,
    "id started_ns duration operation provider request_model outcome response_model response_id finish_reasons stream "
    "status_code error_type server_address server_port run_id trace_id span_id max_tokens",
    "chunks time_to_first_chunk error_code service_tier requested_service_tier attempts requested_model budget_action "
    "budget_name adopted counted_by usage_estimated region metered "
    "quotes prompt_hash budget_wait",
)
USAGE: Final = _Layout(
    Usage,
    "input_tokens output_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens reasoning_tokens",
    "audio_input_tokens audio_output_tokens audio_cache_read_tokens image_cache_read_tokens video_cache_read_tokens "
    "image_input_tokens image_output_tokens video_input_tokens video_output_tokens citation_tokens input_characters "
    "output_characters input_seconds output_seconds video_input_seconds video_resolution input_images images "
    "image_size image_quality queries pages annotated_pages web_searches search_context map_searches code_sessions "
    "file_searches",
)
COST: Final = _Layout(
    Cost,
    "status total prompt completion fees price_key price_source price_date",
    "prompt_details completion_details note",
)
ATTRIBUTION: Final = _Layout(
    Attribution,
    "label label_source section_path user_id session_id conversation_id agent workflow call_type context",
    "tags metadata",
)
SITE: Final = _Layout(CallSite, "function file line")

# --- writing ----------------------------------------------------------------------------------------------------

_PLAIN: Final = (date, Decimal, UUID, PurePath, Enum)


def _foreign(value: object) -> Any:
    """A value of the program that JSON does not know. Only well-known types are spelled out: calling an unknown
    ``__str__`` would run the program's code, and may show what nobody meant to store."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return str(value) if isinstance(value, _PLAIN) else f"<{type(value).__name__}>"


_dump: Final = json.JSONEncoder(separators=(",", ":"), default=_foreign, skipkeys=True, check_circular=False).encode


def encode(call: Call) -> bytes:
    """One line of ASCII with its newline. Context and metadata that cannot be written are left out, never the call."""
    try:
        return (_dump(_line(call, call.attribution)) + "\n").encode("ascii")
    except (TypeError, ValueError, RecursionError):
        readable = replace(call.attribution, context={}, metadata={"llmcost": "metadata could not be written"})
        return (_dump(_line(call, readable)) + "\n").encode("ascii")


def encode_mark(mark: Mark) -> bytes:
    """One line for a mark."""
    return (_dump((VERSION, mark.kind, mark.subject, mark.count, mark.at_ns)) + "\n").encode("ascii")


def _line(call: Call, attribution: Attribution) -> tuple[Any, ...]:
    site = attribution.site
    return (
        VERSION,
        CALL.write(call),
        USAGE.write(call.usage),
        COST.write(call.cost),
        ATTRIBUTION.write(attribution),
        None if site is None else SITE.write(site),
        [(part.model, USAGE.write(part.usage), COST.write(part.cost)) for part in call.parts],
    )


# --- reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A call as its line holds it: values by layout. Folding reads only some of them, which is three times faster than
    building the record."""

    call: list[Any]
    usage: list[Any]
    cost: list[Any]
    attribution: list[Any]
    site: list[Any] | None
    parts: list[Any]

    def record(self) -> Call:
        """The call."""
        call, about = CALL.read(self.call), ATTRIBUTION.read(self.attribution)
        call["finish_reasons"] = tuple(call["finish_reasons"])
        about["tags"] = tuple(about.get("tags", ()))
        return Call(
            **call,
            usage=Usage(**USAGE.read(self.usage)),
            cost=Cost(**COST.read(self.cost)),
            attribution=Attribution(**about, site=CallSite(**SITE.read(self.site)) if self.site else None),
            parts=tuple(BilledPart(m, Usage(**USAGE.read(u)), Cost(**COST.read(c))) for m, u, c in self.parts),
        )


@cache
def _quick() -> Callable[[bytes | str], Any]:
    from msgspec.json import Decoder  # some milliseconds, so not before the first line

    return Decoder().decode


def _slow(line: bytes | str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise UnreadableLine(str(exc)) from None


def parse(line: bytes | str) -> Entry | Mark:
    """Read one line of a spool.

    Raises:
        UnreadableLine: the line is torn or no record.
        NewerLine: a newer llmcost wrote it.
    """
    try:
        values = _quick()(line)
    except (ValueError, RecursionError):
        values = _slow(line)  # it also takes lone surrogates and numbers that are none
    if not isinstance(values, list) or not values or not isinstance(values[0], int):
        raise UnreadableLine("no record")
    if values[0] > VERSION:
        raise NewerLine(f"record version {values[0]}")
    try:
        return Mark(*values[1:5]) if isinstance(values[1], str) else Entry(*values[1:7])
    except (IndexError, TypeError) as exc:
        raise UnreadableLine(str(exc)) from None


def decode(line: bytes | str) -> Call:
    """Read one line that holds a call.

    Raises:
        UnreadableLine: the line holds no call.
        NewerLine: a newer llmcost wrote it.
    """
    entry = parse(line)
    if isinstance(entry, Mark):
        raise UnreadableLine("a mark, no call")
    try:
        return entry.record()
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise UnreadableLine(f"{type(exc).__name__}: {exc}") from None
