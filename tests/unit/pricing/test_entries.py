"""Packed maps are read a model at a time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcost.errors import PriceMapError
from llmcost.pricing.entries import Entries, lines
from llmcost.pricing.pricemap import SNAPSHOT, MapMeta, PriceMap, pack, read

MODELS: dict[str, dict[str, Any]] = {
    "plain": {"input_cost_per_token": 1e-06, "mode": "chat"},
    'with "quotes": {': {"input_cost_per_token": 2.5e-06},
    "umlaut-ä": {"output_cost_per_token": 0},
    "nested": {"tiered_pricing": [{"range": [0, 1], "input_cost_per_token": 1}]},
}


@pytest.mark.parametrize("names", [["plain"], ["plain", "umlaut-ä", "nested"], list(MODELS), []])
def test_what_was_packed_is_read(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "prices.json.gz"
    models = {name: MODELS[name] for name in names}
    meta = MapMeta("litellm", "1.2", "2026-01-02")
    path.write_bytes(pack(PriceMap(models, meta)))
    found = read(path)
    assert found.meta == meta
    assert dict(found.models) == models
    assert list(found.models) == sorted(names)
    assert len(found.models) == len(names)
    assert found.models.keys() - models.keys() == set()


def test_the_packed_form_is_plain_json() -> None:
    document = json.loads(gzip.decompress(SNAPSHOT.read_bytes()))
    assert document["models"] == dict(read(SNAPSHOT).models)


def test_a_model_is_parsed_when_it_is_asked_for() -> None:
    found = Entries.of(lines({"source": "x"}, {"good": {"mode": "chat"}, "bad": {"mode": "chat"}}))
    assert found is not None
    meta, models = found
    assert meta == {"source": "x"}
    assert "good" in models
    assert "other" not in models
    assert models.get("other") is None
    assert models["good"] is models["good"]


@given(
    st.sets(
        st.text(st.characters(max_codepoint=127, exclude_characters='"\\\\', exclude_categories=["Cc"]), max_size=4)
    )
)
def test_every_name_is_found_and_no_other(names: set[str]) -> None:
    found = Entries.of(lines({}, {name: {"mode": name} for name in names}))
    models = found[1] if found is not None else {}
    assert dict(models) == {name: {"mode": name} for name in names}
    for name in names:
        assert {name + "!", name[:-1], "~" + name} & models.keys() <= names


@pytest.mark.parametrize("text", [b"{}", b'{"meta":{},"models":{\n"a":{}', b"nothing", b""])
def test_other_texts_are_not_taken_apart(text: bytes) -> None:
    assert Entries.of(text) is None


def test_a_packed_map_that_is_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.json.gz"
    path.write_bytes(gzip.compress(lines({}, MODELS)[:-9]))
    with pytest.raises(PriceMapError, match=r"prices\.json\.gz"):
        read(path)
