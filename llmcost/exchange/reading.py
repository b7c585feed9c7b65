"""Reads one response while it passes: JSON bodies, server-sent events, JSON lines and arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from llmcost.exchange.wire import EVENT_LIMIT, Framing, Window, form_of, sniff
from llmcost.providers import Endpoint, RequestFacts, ResponseFacts, paths, scan
from llmcost.providers.descriptor import Shape
from llmcost.providers.patterns import text_pattern, watch_pattern
from llmcost.providers.responses import Collector, large
from llmcost.providers.wanted import load

_FIRST_EVENTS: Final = 4
"""So many events are parsed for the model and the id, which some providers leave empty in the first."""

_BOM: Final = b"\xef\xbb\xbf"
_SNIFF: Final = 6


class Reading:
    """One response while it is read. Never raises on odd input.

    Feed it the *decoded* bytes in any split, or give it a complete body by :meth:`whole`; then ask for the facts.

    Most of a stream are events that differ from one another by a piece of text. Once it is told who answers, such an
    event is known by its beginning and its end (:meth:`passes`), and is not cut out.

    Attributes:
        done: whether the provider's end mark was seen.
        chunks: events seen so far.
    """

    __slots__ = (
        "_collector",
        "_complete",
        "_decided",
        "_end",
        "_framing",
        "_head",
        "_headers",
        "_kept",
        "_made",
        "_request",
        "_room",
        "_search",
        "_shape",
        "_status",
        "_window",
        "chunks",
        "done",
    )

    def __init__(self, endpoint: Endpoint, request: RequestFacts, status: int, headers: Mapping[str, str]) -> None:
        self._shape = endpoint.shape
        self._request = request
        self._status = status
        self._headers = headers
        self._collector = Collector(endpoint.shape)
        self._made: Callable[[], Framing] | None = None
        self._framing: Framing | None = None
        self._head = self._end = b""
        self._window: Window | None = None
        self._kept: list[bytes] = []
        self._room = EVENT_LIMIT
        self._complete = False
        self._decided = False
        self.done = False
        self.chunks = 0

    def passes(self, chunk: bytes) -> bool:
        """Take the next bytes if they are one event like those before, with nothing but text. Where this says False,
        nothing is taken, and the bytes are to be fed.

        The program waits for it at each chunk: it calls nothing of Python's own and makes nothing.
        """
        head, end = self._head, self._end
        if (
            not head
            or type(chunk) is not bytes
            or not chunk.startswith(head)
            or chunk.find(end, len(head)) != len(chunk) - len(end)
            or self._search(chunk, len(head)) is not None  # the head has been searched, and ends with a brace
        ):
            return False
        self.chunks += 1
        if self._room > 0:
            self._kept.append(chunk[: self._room])
        self._room -= len(chunk)
        return True

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        framing = self._framing
        if framing is None:
            if chunk:
                self._begin(chunk)
        elif not self.passes(chunk):
            self._keep(chunk)
            between, events = framing.between, framing.feed(chunk)
            plain = False
            for event in events:
                plain = self._event(event)
            if plain and between and len(events) == 1 and (self.chunks >= _FIRST_EVENTS or self._collector.named):
                self._head, self._end = form_of(framing, chunk, self._head)
            elif not framing.between:
                self._head = b""

    def whole(self, body: bytes) -> None:
        """Take a complete body."""
        if self._decided or self._window is not None or not self._json_at_once(body):
            self.feed(body)

    def _json_at_once(self, body: bytes) -> bool:
        head = body[:64].lstrip()
        if not head.startswith(b"{"):
            return False
        if self._request.stream and sniff(head, self._type, lines=False) is not None:
            return False
        if not large(self._shape, body, self._collector, self._request.choices):
            return False
        self._complete = self._decided = True
        self._keep(body)
        return True

    def _type(self) -> str:
        return (self._headers.get("content-type") or "").lower()

    def _begin(self, chunk: bytes) -> None:
        """The first bytes that are not white space tell the framing; a plain JSON body waits for its end."""
        window = self._window
        if window is None:
            if self._decided or self._decide(chunk, last=False):
                return
            window = self._window = Window()
            window.add(chunk)
            return
        window.add(chunk)
        if not self._decided:
            text = window.take()
            if not self._decide(text, last=False):
                window.add(text)

    def _decide(self, text: bytes, *, last: bool) -> bool:
        """Choose the framing. Tells whether the text went to one; without one it stays a JSON body."""
        head = text.removeprefix(_BOM).lstrip()
        if not last and (not head or (len(head) < _SNIFF and head[:1] not in b"{[")):
            return False
        self._decided = True
        made = sniff(head, self._type, lines=self._request.stream and self._shape.stream.lines)
        if made is None and head[:1] != b"{":
            # Audio, plain text, HTML: nothing to read, and nothing to keep.
            self._window, self._complete = None, True
            return True
        if made is None:
            return False
        self._made, self._framing, self._window = made, made(), None
        self._search = watch_pattern(self._shape.stream.watch).search
        self.feed(head)
        return True

    def _event(self, data: bytes) -> bool:
        """Read an event. Tells whether nothing watched stands in it."""
        self.chunks += 1
        stream = self._shape.stream
        if data in stream.end:
            self.done = True
            return False
        plain = self._search(data) is None
        if plain and (self.chunks > _FIRST_EVENTS or self._collector.named):
            return True
        document = self._shape.told_in.wanted.of(data)
        if document is None and len(data) >= EVENT_LIMIT // 2:
            self._piece(data)
            return False
        self._collector.take(document)
        if stream.end_path is not None and paths.get(document, stream.end_path) in stream.end_values:
            self.done = True
        return plain

    def _piece(self, data: bytes) -> None:
        """Of an event too large to keep, its usage can still be read."""
        for path in self._shape.response.get("usage", ()):
            found = scan.last_object(data, f'"{path[-1]}"'.encode())
            if found is not None:
                self._collector.take(paths.nest(path, found))
                break
        stream = self._shape.stream
        head = data[:1_024]
        self.done = self.done or any(f'"{value}"'.encode() in head for value in stream.end_values)

    def _keep(self, data: bytes) -> None:
        if self._room > 0:
            self._kept.append(data[: self._room])
        self._room -= len(data)

    def _close(self) -> None:
        """What is left when the body has ended, or the caller asks before its end."""
        if self._window is not None and self._window.size:
            text = self._window.take()
            if not self._decided and self._decide(text, last=True):
                self._close()
                return
            self._window, text = None, text.removeprefix(_BOM).strip()
            self._keep(text)
            self._complete = large(self._shape, text, self._collector, self._request.choices)
            if not self._complete:
                self._broken(text)
        elif self._framing is not None:
            framing, self._framing, self._head = self._framing, None, b""
            for event in framing.close():
                self._event(event)

    def _broken(self, text: bytes) -> None:
        """A JSON body that is cut, too large to keep, or in truth a sequence of documents."""
        lines = [load(line) for line in text.split(b"\n") if line.strip()]
        if len(lines) > 1 and isinstance(lines[0], dict) and lines[0]:
            for document in lines:
                self._collector.take(document)
            return
        for path in self._shape.response.get("usage", ()):
            found = scan.last_object(text, f'"{path[-1]}"'.encode())
            if found is not None:
                self._collector.take(paths.nest(path, found))
                return

    def kept(self) -> tuple[bytes, ...]:
        """The JSON documents in the first 256 kB: the body, or a stream's events. For content, where it is on."""
        if self._made is None:
            return tuple(self._kept)
        framing = self._made()
        return (*framing.feed(b"".join(self._kept)), *framing.close())

    def output_characters(self) -> int:
        """Length of the answer's text as read so far, for estimates; worked out when asked for."""
        found = _characters(self._shape.stream.texts if self.chunks else self._shape.texts, b"".join(self._kept))
        if self._room < 0:
            found = found * (EVENT_LIMIT - self._room) // EVENT_LIMIT
        return found

    def facts(self) -> ResponseFacts:
        """Everything read. Call it when the response has ended, however it ended."""
        self._close()
        ended = self.done or self._complete
        stated = self._collector.has_usage and (ended or self._collector.finished)
        characters = 0 if stated else self.output_characters()
        return self._collector.facts(self._request, self._status, characters, ended=ended)


class UsualReading:
    """A whole answer in the usual form of its shape, which is read at once."""

    __slots__ = ("_body", "_facts", "_shape")

    chunks: Final = 0
    done: Final = True

    def __init__(self, shape: Shape, facts: ResponseFacts, body: bytes) -> None:
        self._shape = shape
        self._facts = facts
        self._body = body

    def feed(self, chunk: bytes) -> None:
        """Nothing: the body was whole."""

    def kept(self) -> tuple[bytes, ...]:
        """The body."""
        return (self._body,)

    def output_characters(self) -> int:
        """Length of the answer's text; worked out when asked for."""
        return _characters(self._shape.texts, self._body)

    def facts(self) -> ResponseFacts:
        """Everything read."""
        return self._facts


def _characters(keys: tuple[str, ...], text: bytes) -> int:
    """Length of all texts that stand under these keys."""
    if not keys or not text:
        return 0
    matches = text_pattern(keys).finditer(text)
    return sum(match.end(match.lastindex or 0) - match.start(match.lastindex or 0) for match in matches)
