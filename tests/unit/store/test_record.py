from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from factories import a_call, many_calls
from hypothesis import given
from hypothesis import strategies as st

from llmcost.calls import Attribution, BilledPart, Call, CallSite, Cost, Usage
from llmcost.store import record
from llmcost.store.record import Mark, NewerLine, UnreadableLine, decode, encode, encode_mark, parse

EVERY_USAGE: dict[str, Any] = {
    f.name: f"text {n}" if "str" in str(f.type) else n for n, f in enumerate(fields(Usage), 1)
}
WHOLE = a_call(
    7,
    usage=Usage(**EVERY_USAGE),
    cost=Cost(
        "partial", 0.3, 0.1, 0.15, 0.05, "m", "override", "2026-11-01", {"cache_read": 0.01}, {"reasoning": 0.02}, "n"
    ),
    attribution=Attribution(
        "chat", "explicit", CallSite("f", "a.py", 3), "agent:x/tool:y", "u", "s", "c", "a", "w", "chat", ("t1", "t2"),
        {"k": [1, {"z": None}]}, {"task": "42"},
    ),
    outcome="cancelled", stream=True, chunks=9, time_to_first_chunk=0.2, error_type="429", error_code="slow",
    service_tier="flex", requested_service_tier="auto", region="eu-west-1", max_tokens=100, attempts=2,
    requested_model="gpt-5",
    budget_action="degrade", budget_name="day", trace_id="t" * 32, span_id="s" * 16, counted_by="x",
    parts=(BilledPart("advisor", Usage(1, 2), Cost("priced", 0.001, 0.0005, 0.0005, 0.0)),),
)  # fmt: skip


def test_a_call_of_every_field_comes_back_whole() -> None:
    line = encode(WHOLE)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == WHOLE


@pytest.mark.parametrize("call", list(many_calls(50)))
def test_ordinary_calls_come_back_whole(call: Call) -> None:
    assert decode(encode(call)) == call


@pytest.mark.parametrize(
    ("shape", "layout", "apart"),
    [
        (Call, record.CALL, {"usage", "cost", "attribution", "parts"}),
        (Usage, record.USAGE, set()),
        (Cost, record.COST, set()),
        (Attribution, record.ATTRIBUTION, {"site"}),
        (CallSite, record.SITE, set()),
    ],
)
def test_every_field_of_the_records_has_a_place_in_a_line(shape: type, layout: record._Layout, apart: set[str]) -> None:
    assert {f.name for f in fields(shape)} == set(layout.names) | apart


def test_a_line_of_an_older_writer_lacks_fields_and_one_of_a_newer_writer_has_more() -> None:
    entry = parse(encode(WHOLE))
    assert isinstance(entry, record.Entry)
    older = replace(entry, call=entry.call[:12], usage=entry.usage[:3], cost=entry.cost[:5])
    assert older.record().usage == Usage(1, 2, 3)
    assert older.record().cost.price_key is None
    newer = replace(entry, usage=[*entry.usage, "new"], attribution=[*entry.attribution, "new"])
    assert newer.record() == WHOLE


def test_a_line_of_a_newer_version_is_told_apart_from_a_torn_one() -> None:
    with pytest.raises(NewerLine):
        parse(b'[2,"whatever"]\n')


@pytest.mark.parametrize("cut", range(0, len(encode(WHOLE)) - 1, 37))
def test_a_torn_line_is_unreadable_wherever_it_is_cut(cut: int) -> None:
    with pytest.raises(UnreadableLine):
        decode(encode(WHOLE)[:cut])


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b"null", b"[1]", b'["x"]', b"[1,2]", b"[1,[],[],[],[],null,[]]", b"\xff"]
)
def test_what_is_no_record_is_unreadable(line: bytes) -> None:
    with pytest.raises(UnreadableLine):
        decode(line)


def test_a_mark_is_no_call() -> None:
    mark = Mark("unseen", "api.openai.com", 3, 5)
    assert parse(encode_mark(mark)) == mark
    with pytest.raises(UnreadableLine):
        decode(encode_mark(mark))


def test_values_of_the_program_are_spelled_out_only_where_their_type_is_known() -> None:
    class Secret:
        def __str__(self) -> str:
            raise AssertionError("the program's code must not run")

    metadata: dict[Any, object] = {
        "at": datetime(2026, 11, 1, tzinfo=UTC), "sum": Decimal("1.10"), "id": UUID(int=5), "s": Secret(),
        "set": {2, 1}, "map": MappingProxyType({"a": 1}), ("no", "text"): 1,
    }  # fmt: skip
    back = decode(encode(a_call(attribution=Attribution(metadata=metadata)))).attribution.metadata
    assert back == {
        "at": "2026-11-01 00:00:00+00:00", "sum": "1.10", "id": str(UUID(int=5)), "s": "<Secret>", "set": [1, 2],
        "map": {"a": 1},
    }  # fmt: skip


def test_metadata_that_cannot_be_written_does_not_cost_the_call() -> None:
    endless: dict[str, object] = {}
    endless["self"] = endless
    call = a_call(attribution=Attribution(label="x", metadata=endless, user_id="u"))
    back = decode(encode(call))
    assert (back.cost, back.attribution.label, back.attribution.user_id) == (call.cost, "x", "u")
    assert "llmcost" in back.attribution.metadata


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_comes_back(label: str, model: str, context: dict[str, str]) -> None:
    call = a_call(request_model=model, attribution=Attribution(label=label, context=context))
    line = encode(call)
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert decode(line) == call
