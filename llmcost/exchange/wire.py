"""Push decoders: bytes in any split go in, complete events come out. No bound of a chunk means anything."""

from __future__ import annotations

import importlib
import re
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

EVENT_LIMIT: Final = 262_144
"""The most that is kept of an event that is not complete, in bytes."""

_LINE_FEED: Final = 10
_ZLIB_HEADER: Final = 2
_MARK: Final = re.compile(rb'["{}]')
_HEAD: Final = 65_536
_TAIL: Final = EVENT_LIMIT - _HEAD


class Framing(Protocol):
    """Cuts a stream of bytes into events."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes; give the payloads of the events that are now complete."""

    def close(self) -> list[bytes]:
        """The payloads of what is left at the end of the stream."""

    @property
    def between(self) -> bool:
        """Whether the stream stands between two events: nothing is held of one that is not complete."""

    @property
    def lead(self) -> bytes:
        """How the line of an event begins that has its JSON."""

    @property
    def ends(self) -> tuple[bytes, ...]:
        """What ends an event. Empty where only counting braces tells."""


class Window:
    """Keeps a text whole up to ``EVENT_LIMIT`` bytes, and of a longer one its head and its tail."""

    __slots__ = ("_head", "_pieces", "_size", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._head: bytes | None = None
        self._size = 0
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Append bytes."""
        self._pieces.append(piece)
        self._size += len(piece)
        self.size += len(piece)
        if self._size > EVENT_LIMIT:
            self._shorten(len(piece))

    def _shorten(self, last: int) -> None:
        text = b"".join(self._pieces)
        # Half of the tail's room stays free, so that shortening is rare. The last piece may hold the end of what is
        # waited for, and more behind it: it stays whole.
        room = max(_TAIL // 2, last)
        if self._head is None:
            if len(text) <= _HEAD + room:
                self._pieces = [text]
                return
            self._head = text[:_HEAD]
        self._pieces = [text[-room:]]
        self._size = _HEAD + len(self._pieces[0])

    def take(self) -> bytes:
        """The text, or its head and its tail in one; empties the window."""
        text = b"".join(self._pieces)
        if self._head is not None:
            text = self._head + text
        self._pieces, self._head, self._size, self.size = [], None, 0, 0
        return text


class EventStream:
    """Server-sent events, by the rules of the WHATWG: any line end, comments, several data lines an event."""

    __slots__ = ("_carriage", "_rest")

    lead: Final = b"data:"
    ends: Final[tuple[bytes, ...]] = (b"\n\n", b"\r\n\r\n")

    def __init__(self) -> None:
        self._rest = Window()
        self._carriage = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes; give the ``data`` of the events that are now complete."""
        # By ``find``: ``in`` first tries whether what is looked for is a number, which takes as long again.
        if chunk.find(b"\r") >= 0 or self._carriage:
            chunk = self._newlines(chunk)
        if chunk.find(b"\n") < 0:
            self._rest.add(chunk)
            return []
        if self._rest.size:
            self._rest.add(chunk)
            chunk = self._rest.take()
        blocks = chunk.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            self._rest.add(rest)
        return [
            data
            for block in blocks
            if (data := block[6:] if block.startswith(b"data: ") and block.find(b"\n") < 0 else _data(block))
        ]

    @property
    def between(self) -> bool:
        """Whether nothing is held of an event that is not complete."""
        return not self._rest.size and not self._carriage

    def close(self) -> list[bytes]:
        """The event that was not closed by an empty line."""
        data = _data(self._rest.take())
        return [data] if data else []

    def _newlines(self, chunk: bytes) -> bytes:
        """Any line end as a line feed; a carriage return at the end waits for what follows."""
        if self._carriage:
            chunk = b"\r" + chunk
        self._carriage = chunk.endswith(b"\r")
        if self._carriage:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(block: bytes) -> bytes:
    """The data of one event; several lines are joined by line feeds."""
    at = block.find(b"data: ")
    if at >= 0 and block.find(b"\n", at) < 0 and (at == 0 or block[at - 1] == _LINE_FEED):
        return block[at + 6 :]
    found = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            found.append(line[6:] if line.startswith(b"data: ") else line[5:])
    return b"\n".join(found)


class Lines:
    """One JSON document a line (NDJSON, JSON lines)."""

    __slots__ = ("_rest",)

    lead: Final = b""
    ends: Final[tuple[bytes, ...]] = (b"\n",)

    def __init__(self) -> None:
        self._rest = Window()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes; give the lines that are now complete."""
        if b"\n" not in chunk:
            self._rest.add(chunk)
            return []
        lines = chunk.split(b"\n")
        self._rest.add(lines[0])
        first, rest = self._rest.take(), lines.pop()
        if rest:
            self._rest.add(rest)
        return [line for line in (first.strip(), *(line.strip() for line in lines[1:])) if line]

    @property
    def between(self) -> bool:
        """Whether nothing is held of a line that is not complete."""
        return not self._rest.size

    def close(self) -> list[bytes]:
        """The last line, without a line end."""
        line = self._rest.take().strip()
        return [line] if line else []


class Items:
    """The items of one JSON array, as Gemini streams without ``alt=sse``."""

    __slots__ = ("_depth", "_escaped", "_item", "_text")

    lead: Final = b""
    ends: Final[tuple[bytes, ...]] = ()

    def __init__(self) -> None:
        self._item = Window()
        self._depth = 0
        self._text = False
        self._escaped = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes; give the items that are now complete."""
        found: list[bytes] = []
        start = 0 if self._depth else -1
        at = self._through_text(chunk, 0) if self._text else 0
        while not self._text and (mark := _MARK.search(chunk, at)):
            at = mark.end()
            if mark[0] == b'"':
                self._text = True
                at = self._through_text(chunk, at)
            elif mark[0] == b"{":
                start = mark.start() if self._depth == 0 else start
                self._depth += 1
            elif self._depth:
                self._depth -= 1
                if self._depth == 0:
                    self._item.add(chunk[start:at])
                    found.append(self._item.take())
                    start = -1
        if start >= 0:
            self._item.add(chunk[start:])
        return found

    def _through_text(self, chunk: bytes, at: int) -> int:
        """The place behind a text that ``at`` is in, or behind the chunk."""
        while at < len(chunk):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            quote, escape = chunk.find(b'"', at), chunk.find(b"\\", at)
            if escape >= 0 and (quote < 0 or escape < quote):
                self._escaped = True
                at = escape + 1
            elif quote >= 0:
                self._text = False
                return quote + 1
            else:
                return len(chunk)
        return at

    @property
    def between(self) -> bool:
        """Whether nothing is held of an item that is not complete."""
        return not self._depth

    def close(self) -> list[bytes]:
        """Nothing: an item that is not complete cannot be read."""
        return []


def form_of(framing: Framing, chunk: bytes, like: bytes) -> tuple[bytes, bytes]:
    """How a chunk begins and ends that is one event with a JSON object.

    Bytes which begin like this, and have such an end at their end and not before, are one event, too.

    Args:
        framing: what the chunk was one event of.
        chunk: from the end of the event before to the end of this one.
        like: how an earlier event began. Where this one has a beginning in common with it, that is given.

    Returns:
        The beginning as far as a brace, and the end. Both are empty where no such promise can be given.
    """
    end = next((end for end in framing.ends if chunk.endswith(end)), b"")
    at = len(like)
    while at > 0:
        at = chunk.rfind(b"{", 0, at) + 1
        if like.startswith(chunk[:at]):
            break
        at -= 1
    head = chunk[: at or chunk.rfind(b"{") + 1]
    if not end or not head or not head.startswith(framing.lead, head.rfind(b"\n") + 1) or head.find(end) >= 0:
        return b"", b""
    return head, end


def sniff(head: bytes, content_type: Callable[[], str], *, lines: bool) -> Callable[[], Framing] | None:
    """The framing of a body, by how it begins and what its content type says; None for a plain JSON body.

    Args:
        head: the first bytes that are not white space.
        content_type: gives the header, in lower case; it may be empty or wrong. Asked where the bytes do not tell.
        lines: whether the shape streams JSON lines.
    """
    if head.startswith((b"data", b"event", b":", b"id", b"retry")):
        return EventStream
    if head.startswith(b"["):
        return Items
    if head.startswith(b"{"):
        told = any(word in content_type() for word in ("ndjson", "jsonl", "json-lines", "stream+json"))
        return Lines if told or lines else None
    return EventStream if "event-stream" in content_type() else None


# --- content encodings ------------------------------------------------------------------------------------------


def decoder(content_encoding: str) -> Callable[[bytes], bytes] | None:
    """A push decoder for a ``content-encoding``, or None where it is unknown or its library is not installed.

    The decoder gives what can be decoded so far; data that is broken gives nothing more.
    """
    chain = [part.strip().lower() for part in content_encoding.split(",") if part.strip()]
    steps = [_step(name) for name in reversed(chain) if name != "identity"]
    found = [step for step in steps if step is not None]
    if len(found) != len(steps):
        return None

    def decode(chunk: bytes) -> bytes:
        for step in found:
            chunk = step(chunk)
        return chunk

    return decode


def _step(name: str) -> Callable[[bytes], bytes] | None:
    if name in ("gzip", "x-gzip"):
        return _Inflate(zlib.MAX_WBITS | 16)
    if name == "deflate":
        return _Inflate(zlib.MAX_WBITS)
    for module, attribute in _LIBRARIES.get(name, ()):
        try:
            made = getattr(importlib.import_module(module), attribute)()
        except (ImportError, AttributeError):
            continue
        return _Foreign(made)
    return None


_LIBRARIES: Final = {
    "br": (("brotli", "Decompressor"), ("brotlicffi", "Decompressor")),
    "zstd": (("compression.zstd", "ZstdDecompressor"), ("zstandard", "ZstdDecompressor")),
}


class _Inflate:
    """gzip (several members too) and deflate (with its header or raw, which the first two bytes tell)."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._start: bytes | None = b"" if bits == zlib.MAX_WBITS else None
        self._inflate: Any = zlib.decompressobj(bits)

    def __call__(self, chunk: bytes) -> bytes:
        if self._start is not None:
            chunk = self._start + chunk
            if len(chunk) < _ZLIB_HEADER:
                self._start = chunk
                return b""
            self._start = None
            if chunk[0] & 0x0F != zlib.DEFLATED or int.from_bytes(chunk[:2], "big") % 31:
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        out = b""
        while chunk and self._inflate is not None:
            try:
                out += self._inflate.decompress(chunk)
            except zlib.error:
                self._inflate = None
                return out
            chunk = self._inflate.unused_data
            if chunk:
                self._inflate = zlib.decompressobj(self._bits)
        return out


class _Foreign:
    """A decompressor of another library; what it cannot read ends the decoding."""

    def __init__(self, made: Any) -> None:
        made = made.decompressobj() if hasattr(made, "decompressobj") else made
        self._decompress: Callable[[bytes], bytes] | None = getattr(made, "decompress", None) or made.process

    def __call__(self, chunk: bytes) -> bytes:
        if self._decompress is None:
            return b""
        try:
            return self._decompress(chunk)
        except (ValueError, RuntimeError, OSError, EOFError):
            self._decompress = None
            return b""
