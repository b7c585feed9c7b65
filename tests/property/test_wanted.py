"""Building only what is wanted of a JSON text gives the same, at every wanted place, as parsing all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcost.providers import paths
from llmcost.providers.paths import Path
from llmcost.providers.wanted import Wanted, load

KEYS = ("id", "usage", "error", "choices", "message", "type", "finish_reason", "index", "other")
SEGMENTS = st.lists(st.sampled_from([*KEYS, "*"]), min_size=1, max_size=4).map(tuple)
WANTED = st.lists(SEGMENTS.filter(lambda path: path[0] != "*"), min_size=1, max_size=6)
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)


def at(document: Any, path: Path) -> Iterator[tuple[Any, Any]]:
    return paths.each(document, path) if "*" in path else iter([(0, paths.get(document, path))])


@given(wanted=WANTED, document=DOCUMENTS)
@settings(max_examples=600, deadline=None)
def test_every_wanted_place_holds_the_same(wanted: list[Path], document: Any) -> None:
    text = json.dumps(document).encode()
    found, whole = Wanted(wanted).of(text), load(text)
    for path in wanted:
        assert list(at(found, path)) == list(at(whole, path)), path


@given(wanted=WANTED, document=DOCUMENTS, cut=st.integers(0, 200), odd=st.binary(max_size=3))
@settings(max_examples=400, deadline=None)
def test_a_broken_text_never_raises_and_is_read_as_before_or_better(
    wanted: list[Path], document: Any, cut: int, odd: bytes
) -> None:
    text = json.dumps(document).encode()
    broken = text[:cut] + odd + text[cut:]
    found, whole = Wanted(wanted).of(broken), load(broken)
    if whole is not None:
        for path in wanted:
            assert list(at(found, path)) == list(at(whole, path)), path


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1", b"nul", b"{}x", b"\xff", b"[" * 100_000, b'{"usage":' * 50_000, b'{"usage": 1}{}']
)
def test_what_is_no_json_gives_nothing(text: bytes) -> None:
    assert Wanted([("usage",)]).of(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"usage": NaN}', "nan"),
        (b'\xef\xbb\xbf{"usage": 1}', "1"),
        (b'{"usage": "\\ud800"}', "'\\ud800'"),
        (b'{"usage": 1, "usage": 2}', "2"),
        ('{"usage": 3}'.encode("utf-16"), "3"),
    ],
)
def test_what_the_parser_accepts_is_accepted(text: bytes, found: str) -> None:
    assert repr(Wanted([("usage",)]).of(text)["usage"]) == found


def test_only_what_is_wanted_is_built() -> None:
    wanted = Wanted([("usage",), ("choices", "*", "finish_reason"), ("error", "type"), ("error",)])
    text = json.dumps(
        {
            "id": "1",
            "usage": {"a": {"b": 2}},
            "choices": [{"index": 1, "message": {"content": "long"}, "finish_reason": "stop"}, None],
            "error": {"type": "t", "message": "m"},
        }
    )
    assert wanted.of(text.encode()) == {
        "usage": {"a": {"b": 2}},
        "choices": [{"index": 1, "finish_reason": "stop"}, None],
        "error": {"type": "t", "message": "m"},
    }
