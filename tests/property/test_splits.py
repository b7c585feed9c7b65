"""Any split of the bytes gives the same facts; mutated bodies never raise."""

from __future__ import annotations

import itertools
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcost.exchange.reading import Reading
from llmcost.providers import Endpoint, RequestFacts, ResponseFacts, registry

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("*/*.json"))
FRAMINGS = ("text/event-stream", "application/json", "application/x-ndjson", "", "text/html")


def corpus() -> list[tuple[Endpoint, RequestFacts, int, str, bytes]]:
    found = []
    for path in FIXTURES:
        fixture = json.loads(path.read_text(encoding="utf-8"))
        url = urlsplit(fixture["url"])
        endpoint = registry().endpoint(fixture["method"], url.hostname or "", url.port, url.path)
        assert endpoint is not None
        request = endpoint.read_request(url.path, {}, json.dumps(fixture.get("request", {})).encode())
        if request is not None:
            found.append((endpoint, request, fixture["status"], *response(fixture)))
    return found


def response(fixture: dict[str, Any]) -> tuple[str, bytes]:
    if "events" in fixture:
        texts = [event if isinstance(event, str) else json.dumps(event) for event in fixture["events"]]
        return "text/event-stream", "".join(f"event: e\r\ndata: {text}\r\n\r\n" for text in texts).encode()
    if "lines" in fixture:
        return "application/x-ndjson", "\n".join(map(json.dumps, fixture["lines"])).encode()
    if "text" in fixture:
        return fixture["headers"]["content-type"], fixture["text"].encode("latin-1")
    return "application/json", json.dumps(fixture.get("array", fixture.get("response"))).encode()


CORPUS = corpus()


def read(case: tuple[Endpoint, RequestFacts, int, str, bytes], cuts: list[int]) -> tuple[ResponseFacts, bool, int]:
    endpoint, request, status, content_type, body = case
    reading = Reading(endpoint, request, status, {"content-type": content_type})
    bounds = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(bounds):
        reading.feed(body[start:end])
    return reading.facts(), reading.done, reading.chunks


@given(case=st.sampled_from(CORPUS), cuts=st.lists(st.integers(0, 1 << 16), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_split_gives_the_same_facts(case: tuple[Endpoint, RequestFacts, int, str, bytes], cuts: list[int]) -> None:
    assert read(case, cuts) == read(case, [])


PIECES = st.lists(
    st.text('{}"[]:, abü\\\n\r', max_size=9).map(json.dumps) | st.sampled_from(['"usage"', '"[DONE]"', '"error"']),
    min_size=1,
    max_size=60,
)
EVENTS = (
    ("text/event-stream", 'data: {"id":"c","model":"m","choices":[{"index":%d,"delta":{"content":%s}}]}\n\n'),
    ("text/event-stream", 'event: e\r\ndata: {"model":"m","id":"c","choices":[%d],"usage":null,"text":%s}\r\n\r\n'),
    ("application/x-ndjson", '{"model":"m","id":"c","choices":[{"index":%d,"delta":{"content":%s}}]}\n'),
)
USAGE = '{"usage":{"prompt_tokens":3,"completion_tokens":2},"choices":[]}'


@given(pieces=PIECES, events=st.sampled_from(EVENTS), cuts=st.lists(st.integers(0, 1 << 16), max_size=9))
@settings(max_examples=300, deadline=None)
def test_one_event_a_chunk_gives_the_same_facts(pieces: list[str], events: tuple[str, str], cuts: list[int]) -> None:
    content_type, form = events
    texts = [form % (number % 3, piece) for number, piece in enumerate(pieces)]
    texts.insert(len(texts) // 2, form.partition("{")[0] + USAGE + form.rpartition("}")[2])
    endpoint = registry().endpoint("POST", "api.openai.com", None, "/v1/chat/completions")
    assert endpoint is not None
    case = (endpoint, RequestFacts(stream=True), 200, content_type, "".join(texts).encode())
    ends = list(itertools.accumulate(len(text.encode()) for text in texts))
    whole = read(case, [])
    assert whole[2] == len(texts)
    assert whole[0].usage is not None
    assert read(case, ends) == read(case, ends + cuts) == whole


def mutated(body: bytes, chosen: random.Random) -> bytes:
    text = bytearray(body)
    for _ in range(chosen.randint(1, 6)):
        at = chosen.randrange(len(text) + 1)
        kind = chosen.randrange(5)
        if kind == 0 and text:
            text[at % len(text)] = chosen.randrange(256)
        elif kind == 1:
            del text[at : at + chosen.randint(1, 60)]
        elif kind == 2:
            text[at:at] = chosen.choice(
                (b"null", b"[]", b"{}", b'"', b"\n\n", b"\r", b"-1", b"1e999", b"true", b"\xff")
            )
        elif kind == 3:
            text[at:at] = text[chosen.randrange(len(text) + 1) :][:80]
        else:
            old = chosen.choice((b":", b",", b"{", b"}", b"[", b"]", b'"'))
            text = text.replace(old, chosen.choice((b":null,", b"0", b"", b"[", b"{")), 1)
    return bytes(text)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_bodies_never_raise(seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(500):
        endpoint, request, status, _, body = chosen.choice(CORPUS)
        text = mutated(body, chosen)
        case = (endpoint, request, status, chosen.choice(FRAMINGS), text)
        facts, _, _ = read(case, [chosen.randrange(1 << 16) for _ in range(chosen.randint(0, 9))])
        assert facts.usage is None or (facts.usage.total_tokens or 0) >= 0
        whole = Reading(endpoint, request, status, {})
        whole.whole(text)
        whole.facts()


@pytest.mark.parametrize("seed", range(2))
def test_mutated_requests_never_raise(seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(500):
        fixture = json.loads(chosen.choice(FIXTURES).read_text(encoding="utf-8"))
        url = urlsplit(fixture["url"])
        endpoint = registry().endpoint(fixture["method"], url.hostname or "", url.port, url.path)
        assert endpoint is not None
        facts = endpoint.read_request(url.path, {}, mutated(json.dumps(fixture.get("request", {})).encode(), chosen))
        if facts is not None:
            assert facts.input_characters >= 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    """usage choices model id error usageMetadata candidates finishReason meta delta message response output iterations
    type status tool_usage groundingMetadata cost prompt_tokens completion_tokens total_tokens""".split()  # noqa: SIM905
)
DOCUMENTS = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=6),
    lambda inner: st.dictionaries(KEYS, inner | st.lists(inner, max_size=3) | VALUES, max_size=6),
    max_leaves=12,
)


@given(case=st.sampled_from(CORPUS), document=DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_any_document_is_read(case: tuple[Endpoint, RequestFacts, int, str, bytes], document: dict[str, Any]) -> None:
    endpoint, request, status, _, _ = case
    reading = Reading(endpoint, request, status, {})
    reading.whole(json.dumps(document).encode())
    reading.facts()
    stream = Reading(endpoint, request, status, {"content-type": "text/event-stream"})
    stream.feed(b"data: " + json.dumps(document).encode() + b"\n\ndata: " + json.dumps(document).encode() + b"\n\n")
    stream.facts()


@pytest.mark.parametrize("text", [b'"delta": {"content": "', b'{"prompt": "', b'"arguments": "', b'"delta": {', b"\\"])
def test_what_is_never_closed_takes_no_long_search(text: bytes) -> None:
    endpoint, request, _, _, _ = CORPUS[0]
    odd = text + b"x" * 100_000 + text * 2_000
    reading = Reading(endpoint, request._replace(body=b"{" + odd), 200, {"content-type": "text/event-stream"})
    reading.feed(b"data: " + odd)
    assert reading.facts().usage is None
    assert request._replace(body=b"{" + odd).input_characters >= 0
