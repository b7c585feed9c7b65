"""A request or an answer that is read in its usual form gives what the general way gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcost.providers import RequestFacts, ResponseFacts, loading, requests, scan
from llmcost.providers.compiler import Compiler
from llmcost.providers.descriptor import Shape
from llmcost.providers.functions import PLAIN
from llmcost.providers.leaves import Leaf, Leaves
from llmcost.providers.paths import Path
from llmcost.providers.responses import Collector, large, usual

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 0, 1, 7, 120, -1, 2.0, 2.5, 1e400, "12", True, False, [], {}, [{}], {"a": 1}]
)
USUAL = st.sampled_from([0, 1, 7, 120, 4096])
TEXTS = st.sampled_from(["gpt-5-mini", "stop", "models/gemini", "default", "x"])


def shapes() -> dict[str, Shape]:
    found = Compiler(loading._packaged()).providers()
    return {route.shape.name: route.shape for provider in found for route in provider.routes}


SHAPES = shapes()
ANSWERED = sorted(name for name, shape in SHAPES.items() if shape.usual_answer is not None)
ASKED = sorted(name for name, shape in SHAPES.items() if shape.usual_request is not None)


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at a path; whatever stands in the way stays."""
    place: Any = document
    for here, below in pairwise(path):
        empty: Any = [{}] if below == "*" or isinstance(below, int) else {}
        if isinstance(place, dict):
            place = place.setdefault(here, empty)
        elif isinstance(place, list) and place:
            place = place[0]
        else:
            return
    if isinstance(place, dict):
        place[path[-1]] = deepcopy(value)


def answer_places(shape: Shape) -> list[Path]:
    """Every place that an answer of the shape is looked at."""
    places = [path for found in shape.response.values() for path in found]
    places += [path for found in shape.counts.values() for path in found]
    places += [tally.path for tally in shape.tallies] + [cost.path for cost in shape.costs]
    places += [path for found in shape.error.values() for path in found]
    for at in shape.response.get("usage", ()):
        keys = [key for found in shape.usage.rows.values() for several in found for key in several]
        keys += [PLAIN[shape.function].key] if shape.function is not None and shape.function in PLAIN else []
        places += [(*at, *key.split(".")) for key in keys]
    return [path for path in places if path[-1] != "*"]


@st.composite
def documents(draw: st.DrawFn, places: list[Path], likely: st.SearchStrategy[Any]) -> bytes:
    document: dict[str, Any] = {}
    odd = draw(st.booleans())
    for path in draw(st.lists(st.sampled_from(places), max_size=12)):
        put(document, path, draw(likely if not odd or draw(st.integers(0, 3)) else ODD))
    return json.dumps(document).encode()


def generally(shape: Shape, body: bytes) -> ResponseFacts | None:
    collector = Collector(shape)
    if not large(shape, body, collector, None):
        return None
    return collector.facts(RequestFacts(), 200, 0, ended=True)


@pytest.mark.parametrize("name", ANSWERED)
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_an_answer(name: str, data: st.DataObject) -> None:
    shape = SHAPES[name]
    body = data.draw(documents(answer_places(shape), USUAL | TEXTS))
    told = usual(shape, body, RequestFacts())
    if told is not None:
        assert told == generally(shape, body), body


@pytest.mark.parametrize("name", ASKED)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_request(name: str, data: st.DataObject) -> None:
    shape = SHAPES[name]
    places = [path for found in shape.request.values() for path in found]
    body = data.draw(documents(places, USUAL | TEXTS | st.booleans()))
    assert shape.usual_request is not None
    told = shape.usual_request.read(body)
    if told is not None:
        facts = requests._facts(shape, scan.members(body, shape.asked_in) or {})
        assert told == RequestFacts(**facts)[:-2], body


def test_the_usual_answer_of_the_great_providers_is_read_at_once() -> None:
    bodies: Mapping[str, Any] = {
        "openai.chat": {
            "id": "c",
            "model": "gpt-5-mini",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Yes."}, "logprobs": None}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": None, "total_tokens": 12},
            "error": None,
        },
        "openai.responses": {
            "id": "r",
            "model": "gpt-5-mini",
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "output": [{"type": "message", "content": []}],
            "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3},
        },
        "anthropic.messages": {
            "id": "m",
            "model": "claude",
            "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Yes."}],
            "usage": {
                "input_tokens": 4,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 2,
                "output_tokens": 3,
            },
        },
    }
    for name, body in bodies.items():
        told = usual(SHAPES[name], json.dumps(body).encode(), RequestFacts())
        assert told is not None, name
        assert told.usage is not None
        assert (told.usage.input_tokens, told.usage.output_tokens) == (9, 3), name


def test_a_search_makes_an_answer_another() -> None:
    body = {"output": [{"type": "web_search_call", "action": {"type": "search"}}], "usage": {"input_tokens": 1}}
    assert usual(SHAPES["openai.responses"], json.dumps(body).encode(), RequestFacts()) is None


@pytest.mark.parametrize(
    "leaves",
    [
        [],
        [Leaf("a", ("x",), "text"), Leaf("b", ("x", "y"), "text")],
        [Leaf("a", ("x", "y"), "text"), Leaf("b", ("x",), "any")],
        [Leaf("a", ("x",), "text"), Leaf("b", ("x",), "count")],
        [Leaf("a", ("x", 0), "text")],
        [Leaf("a", ("x", "*", "y", "z"), "text")],
    ],
)
def test_places_that_cannot_be_told_apart_are_refused(leaves: list[Leaf]) -> None:
    with pytest.raises(ValueError, match=r"leaves|stands|not every"):
        Leaves(leaves, {})
