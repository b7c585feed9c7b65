"""Push decoders: events, lines, items and content encodings, in any split."""

from __future__ import annotations

import gzip
import importlib.util
import zlib

import pytest

from llmcost.exchange.wire import EVENT_LIMIT, EventStream, Framing, Items, Lines, Window, decoder, form_of, sniff


def cut(framing: Framing, text: bytes, step: int) -> list[bytes]:
    found = [event for at in range(0, len(text), step) for event in framing.feed(text[at : at + step])]
    return found + framing.close()


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1_000])
@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"event: x\ndata: a\nid: 1\n\n", [b"a"]),
        (b": comment\n\n: comment\n\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"event: ping\n\nretry: 5\n\n", []),
        (b"data: a\n\ndata: unfinished", [b"a", b"unfinished"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        ("data: ü€\n\n".encode(), ["ü€".encode()]),
    ],
)
def test_server_sent_events(text: bytes, events: list[bytes], step: int) -> None:
    assert cut(EventStream(), text, step) == events


@pytest.mark.parametrize("step", [1, 4, 1_000])
def test_lines(step: int) -> None:
    assert cut(Lines(), b'{"a":1}\n\n {"b":2}\r\n{"c":3}', step) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


@pytest.mark.parametrize("step", [1, 4, 1_000])
def test_items_of_an_array(step: int) -> None:
    text = rb'[{"a":"}\"]{"},' + b"\r\n" + rb' {"b":{"c":[1,{}]}}, {"d":"\\"}, {"open":'
    assert cut(Items(), text, step) == [rb'{"a":"}\"]{"}', b'{"b":{"c":[1,{}]}}', rb'{"d":"\\"}']


ONE = b'event: y\ndata: {"a":{"b":"x {"}}'


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_the_form_of_one_event(end: bytes) -> None:
    assert form_of(EventStream(), ONE + end, b"") == (ONE[:-3], end)


@pytest.mark.parametrize(
    ("chunk", "like", "head"),
    [
        (ONE, b'event: y\ndata: {"a":{"c', b'event: y\ndata: {"a":{'),
        (ONE, b'event: y\ndata: {"b":{', b"event: y\ndata: {"),
        (ONE, b"event: z\ndata: {", ONE[:-3]),
    ],
)
def test_the_form_is_what_two_events_have_in_common(chunk: bytes, like: bytes, head: bytes) -> None:
    assert form_of(EventStream(), chunk + b"\n\n", like) == (head, b"\n\n")


@pytest.mark.parametrize(
    "chunk", [b"data: x\n\n", b"data: {}\n", b": {\ndata: 1\n\n", b": a\n\ndata: {}\n\n", b"data: {}\r\r", b""]
)
def test_what_has_no_form(chunk: bytes) -> None:
    assert form_of(EventStream(), chunk, b"") == (b"", b"")


def test_the_form_of_a_line_and_of_an_item() -> None:
    assert form_of(Lines(), b'{"a":1}\n', b"") == (b"{", b"\n")
    assert form_of(Items(), b'{"a":1},\n', b"") == (b"", b"")


@pytest.mark.parametrize(
    ("framing", "half", "rest"),
    [(EventStream(), b"data: {}\r\n\r", b"\n"), (Lines(), b"{", b"}\n"), (Items(), b'[{"a', b'":1}')],
)
def test_between_two_events_nothing_is_held(framing: Framing, half: bytes, rest: bytes) -> None:
    framing.feed(half)
    assert not framing.between
    framing.feed(rest)
    assert framing.between


def test_a_window_keeps_head_and_tail() -> None:
    window = Window()
    for number in range(2_000):
        window.add(f"{number:010}".encode() * 100)
    text = window.take()
    assert len(text) <= EVENT_LIMIT + 1
    assert text.startswith(b"0000000000")
    assert text.endswith(b"0000001999")
    assert window.size == 0


@pytest.mark.parametrize(
    ("head", "content_type", "lines", "framing"),
    [
        (b"data: {}", "", False, EventStream),
        (b": ping\n", "text/plain", False, EventStream),
        (b"{", "application/json", False, None),
        (b"{", "application/x-ndjson", False, Lines),
        (b"{", "", True, Lines),
        (b"[{", "application/json", False, Items),
        (b"<html>", "text/html", False, None),
        (b"x", "text/event-stream", False, EventStream),
    ],
)
def test_framing_is_told_by_the_first_bytes(
    head: bytes, content_type: str, lines: bool, framing: type[Framing] | None
) -> None:
    assert sniff(head, lambda: content_type, lines=lines) is framing


TEXT = b"the quick brown fox " * 500


def deflated() -> bytes:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return raw.compress(TEXT) + raw.flush()


@pytest.mark.parametrize("step", [1, 97, 100_000])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT[:5_000]) + gzip.compress(TEXT[5_000:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", deflated()),
        ("gzip, deflate", zlib.compress(gzip.compress(TEXT))),
        ("identity", TEXT),
        ("", TEXT),
    ],
    ids=["gzip", "members", "deflate", "raw", "chain", "identity", "none"],
)
def test_content_encodings(encoding: str, body: bytes, step: int) -> None:
    decode = decoder(encoding)
    assert decode is not None
    assert b"".join(decode(body[at : at + step]) for at in range(0, len(body), step)) == TEXT


@pytest.mark.parametrize(("encoding", "module"), [("br", "brotli"), ("zstd", "zstandard")])
def test_encodings_of_other_libraries(encoding: str, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    decode = decoder(encoding)
    assert decode is not None
    library = importlib.import_module(module)
    body = library.compress(TEXT)
    assert b"".join(decode(body[at : at + 50]) for at in range(0, len(body), 50)) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_broken_body_gives_nothing_and_raises_nothing(encoding: str) -> None:
    decode = decoder(encoding)
    assert decode is not None
    assert decode(b"this is no compressed text") == b""
    assert decode(b"nor is this") == b""


def test_an_unknown_encoding_has_no_decoder() -> None:
    assert decoder("compress") is None
    assert decoder("gzip, made-up") is None
