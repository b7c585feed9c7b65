"""Lean dataclasses behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, field
from typing import Any

import pytest

from llmcost import lean


@lean.dataclass(frozen=True, slots=True)
class Lean:
    """A record."""

    a: int
    store: tuple[int, ...] = ()
    made: dict[str, int] = field(default_factory=dict, compare=False)
    hidden: str = field(default="x", repr=False)
    later: int = field(default=7, init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    """A record."""

    a: int
    store: tuple[int, ...] = ()
    made: dict[str, int] = field(default_factory=dict, compare=False)
    hidden: str = field(default="x", repr=False)
    later: int = field(default=7, init=False)


@lean.dataclass(slots=True, kw_only=True)
class Changing:
    """No record."""

    a: int
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log.append("made")


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, (2,)), {"hidden": "y"}),
    ((), {"a": 3, "made": {"k": 1}}),
]


@pytest.mark.parametrize(("given", "named"), ARGUMENTS)
def test_a_record_is_made_told_and_compared_as_usual(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    lean_one, plain_one = Lean(*given, **named), Plain(*given, **named)
    assert dataclasses.asdict(lean_one) == dataclasses.asdict(plain_one)
    assert repr(lean_one) == repr(plain_one).replace("Plain", "Lean")
    assert hash(lean_one) == hash(plain_one)
    assert lean_one == Lean(*given, **named)
    assert lean_one != dataclasses.replace(lean_one, a=9)
    assert lean_one.__eq__(plain_one) is NotImplemented


def test_what_is_made_by_a_factory_is_made_each_time() -> None:
    assert Lean(1).made is not Lean(1).made


def test_a_frozen_record_cannot_be_changed() -> None:
    record: Any = Lean(1)
    with pytest.raises(FrozenInstanceError):
        record.a = 2
    with pytest.raises(FrozenInstanceError):
        record.b = 2
    with pytest.raises(FrozenInstanceError):
        del record.a
    assert record == Lean(1)


def test_it_is_pickled_and_copied() -> None:
    record = Lean(1, (2,), {"k": 3})
    for other in (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record)):
        assert (other, other.made) == (record, record.made)


def test_its_signature_is_known_before_and_after_the_first_object() -> None:
    @lean.dataclass(frozen=True, slots=True)
    class New:
        a: int
        b: int = 2

    before = inspect.signature(New)
    assert New(1).b == 2
    assert before == inspect.signature(New)
    assert list(before.parameters) == ["a", "b"]
    assert before.parameters["b"].default == 2


def test_wrong_arguments_are_refused() -> None:
    for given, named in (((), {}), ((1, 2, 3, 4, 5), {}), ((1,), {"c": 1})):
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            Lean(*given, **named)  # type: ignore[arg-type]


def test_a_mutable_one_has_no_hash_and_runs_what_comes_after() -> None:
    one = Changing(a=1)
    one.a = 2
    assert one.log == ["made"]
    assert one != Changing(a=1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    with pytest.raises(TypeError, match="positional"):
        Changing(1)  # type: ignore[call-arg]


def test_a_class_s_own_methods_stay() -> None:
    @lean.dataclass(frozen=True, slots=True)
    class Own:
        a: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, int)

        def __hash__(self) -> int:
            return 5

        def __repr__(self) -> str:
            return "own"

    assert (Own(1) == 3, hash(Own(1)), repr(Own(1))) == (True, 5, "own")
