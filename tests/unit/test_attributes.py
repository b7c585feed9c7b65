"""What calls of a kind have in common on their spans is kept by a key; the key must hold all that it goes by."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from factories import a_call

from llmcost.attributes import TOLD_OF_CALL, TOLD_OF_COST, told_attributes
from llmcost.calls import Call, Cost

ANOTHER: dict[type, Any] = {str: "another", int: 7, float: 0.5, bool: True, tuple: ("another",), dict: {"another": 1.0}}


def another(value: Any) -> Any:
    """A value that a field did not have."""
    if isinstance(value, bool):
        return not value
    return ANOTHER.get(type(value), "another")


def key(call: Call) -> tuple[Any, ...]:
    return TOLD_OF_CALL(call), TOLD_OF_COST(call.cost)


@pytest.mark.parametrize("name", [field.name for field in fields(Call) if field.name not in ("cost", "attribution")])
def test_what_is_told_of_a_call_is_in_the_key(name: str) -> None:
    call = a_call()
    changed = replace(call, **{name: another(getattr(call, name))})
    assert told_attributes(changed) == told_attributes(call) or key(changed) != key(call)


@pytest.mark.parametrize("name", [field.name for field in fields(Cost)])
def test_what_is_told_of_a_cost_is_in_the_key(name: str) -> None:
    call = a_call()
    changed = replace(call, cost=replace(call.cost, **{name: another(getattr(call.cost, name))}))
    assert told_attributes(changed) == told_attributes(call) or key(changed) != key(call)


def test_a_run_and_a_note_are_told() -> None:
    call = a_call(run_id="run-7", cost=Cost("unpriced", note="no price"))
    told = told_attributes(call)
    assert (told["llmcost.run.id"], told["llmcost.cost.note"], told["llmcost.cost.status"]) == (
        "run-7",
        "no price",
        "unpriced",
    )
