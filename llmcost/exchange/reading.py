"""Reads one response while it passes: JSON bodies, server-sent events, JSON lines and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmcost.exchange.wire import EVENT_LIMIT, Framing, Window, sniff
from llmcost.providers import Endpoint, RequestFacts, ResponseFacts, paths, scan
from llmcost.providers.descriptor import Shape
from llmcost.providers.patterns import text_pattern, watch_pattern
from llmcost.providers.responses import Collector, large
from llmcost.providers.wanted import load

_FIRST_EVENTS: Final = 4
"""So many events are parsed for the model and the id, which some providers leave empty in the first."""

_MARK_SIZE: Final = 64
_BOM: Final = b"\xef\xbb\xbf"
_SNIFF: Final = 6


class Reading:
    """One response while it is read. Never raises on odd input.

    Feed it the *decoded* bytes in any split, or give it a complete body by :meth:`whole`; then ask for the facts.

    Attributes:
        done: whether the provider's end mark was seen.
        chunks: events seen so far.
    """

    __slots__ = (
        "_collector",
        "_complete",
        "_decided",
        "_framing",
        "_headers",
        "_kept",
        "_kept_size",
        "_request",
        "_search",
        "_seen_size",
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
        self._framing: Framing | None = None
        self._window: Window | None = Window()
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._seen_size = 0
        self._complete = False
        self._decided = False
        self.done = False
        self.chunks = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        framing = self._framing
        if framing is None:
            if chunk:
                self._begin(chunk)
        elif self.chunks >= _FIRST_EVENTS and framing.is_one(chunk) and not self._watched(chunk):
            # The usual case by far: one event with a piece of text. It need not be cut out.
            self.chunks += 1
            self._keep(chunk)
        else:
            for event in framing.feed(chunk):
                self._event(event)

    def whole(self, body: bytes) -> None:
        """Take a complete body."""
        if self._window is None or self._window.size or not self._json_at_once(body):
            self.feed(body)

    def _json_at_once(self, body: bytes) -> bool:
        head = body[:64].lstrip()
        if not head.startswith(b"{"):
            return False
        if self._request.stream and sniff(head, self._type(), lines=False) is not None:
            return False
        if not large(self._shape, body, self._collector, self._request.choices):
            return False
        self._complete = True
        self._window = None
        self._keep(body)
        return True

    def _type(self) -> str:
        return (self._headers.get("content-type") or "").lower()

    def _begin(self, chunk: bytes) -> None:
        """The first bytes that are not white space tell the framing; a plain JSON body waits for its end."""
        if self._window is None:
            return
        self._window.add(chunk)
        if not self._decided:
            text = self._window.take()
            if not self._decide(text, last=False):
                self._window.add(text)

    def _decide(self, text: bytes, *, last: bool) -> bool:
        """Choose the framing. Tells whether the text went to one; without one it stays a JSON body."""
        head = text.removeprefix(_BOM).lstrip()
        if not last and (not head or (len(head) < _SNIFF and head[:1] not in b"{[")):
            return False
        self._decided = True
        made = sniff(head, self._type(), lines=self._request.stream and self._shape.stream.lines)
        if made is None and head[:1] != b"{":
            # Audio, plain text, HTML: nothing to read, and nothing to keep.
            self._window, self._complete = None, True
            return True
        if made is None:
            return False
        self._framing, self._window = made(), None
        self._search = watch_pattern(self._shape.stream.watch).search
        self.feed(head)
        return True

    def _event(self, data: bytes) -> None:
        self.chunks += 1
        self._keep(data)
        stream = self._shape.stream
        if data in stream.end:
            self.done = True
            return
        if not self._watched(data) and (self.chunks > _FIRST_EVENTS or self._collector.named):
            return
        document = self._shape.told_in.wanted.of(data)
        if document is None and len(data) >= EVENT_LIMIT // 2:
            self._piece(data)
            return
        self._collector.take(document)
        if stream.end_path is not None and paths.get(document, stream.end_path) in stream.end_values:
            self.done = True

    def _watched(self, data: bytes) -> bool:
        """Whether an event can hold something needed, judged on its raw bytes: a watched key, or the end mark."""
        if self._search(data) is not None:
            return True
        return len(data) < _MARK_SIZE and any(mark in data for mark in self._shape.stream.end)

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
        self._seen_size += len(data)
        if self._seen_size <= EVENT_LIMIT:
            self._kept.append(data)
            self._kept_size = self._seen_size
        elif not self._kept:
            self._kept.append(data[:EVENT_LIMIT])
            self._kept_size = EVENT_LIMIT

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
            framing, self._framing = self._framing, None
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
        """The first 256 kB of JSON documents: the body, or the events of the stream. For content, where it is on."""
        return tuple(self._kept)

    def output_characters(self) -> int:
        """Length of the answer's text as read so far, for estimates; worked out when asked for."""
        found = _characters(self._shape.stream.texts if self.chunks else self._shape.texts, b"\n".join(self._kept))
        if self._seen_size > self._kept_size:
            found = found * self._seen_size // self._kept_size
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
