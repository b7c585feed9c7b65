"""A roll-up says what the calls say, whatever was folded or deleted since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from factories import START_NS, a_call, many_calls
from stores import filled

from llmcost.calls import Call
from llmcost.store import rollup
from llmcost.store.booking import QUARTER_NS, WEEK
from llmcost.store.database import reading, writing
from llmcost.store.dimensions import dimension
from llmcost.store.filters import Filter
from llmcost.store.paths import StoreFolder
from llmcost.store.percentiles import p95
from llmcost.store.prune import prune
from llmcost.store.query import Group, Spend
from llmcost.store.schema import MIGRATIONS

START = START_NS // QUARTER_NS
END = START + 30 * 96
KEYS = ("user", "run", "agent", "task")
MONDAY = (START // WEEK + 2) * WEEK
RANGES = {
    "all": Filter(),
    "since a week begins": Filter(MONDAY),
    "since within a week": Filter(MONDAY + 100),
    "until within a week": Filter(until=MONDAY + 100),
    "until a week begins": Filter(until=MONDAY),
    "within one week": Filter(MONDAY + 10, MONDAY + 300),
    "one week": Filter(MONDAY, MONDAY + WEEK),
    "from week to week": Filter(MONDAY - 50, MONDAY + WEEK + 50),
    "before all": Filter(until=START - 5 * WEEK),
}


def about(call: Call, number: int) -> Call:
    attribution = replace(call.attribution, context={"task": f"t{number % 3}"} if number % 4 else {})
    return replace(call, attribution=attribution, run_id=f"run-{number // 200}")


CALLS = [about(call, n) for n, call in enumerate(many_calls(1200, days=30, users=50))]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup, "LEAST_CALLS", 1)
    monkeypatch.setattr(rollup, "_CHUNK", 250)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> StoreFolder:
    return filled(tmp_path_factory.mktemp("plain"), CALLS)


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> StoreFolder:
    """A store whose roll-ups stop at two thirds of its calls."""
    folder = filled(tmp_path_factory.mktemp("rolled"), CALLS[:800])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup, "LEAST_CALLS", 1)
        for key in KEYS:
            rollup.roll_up(folder, dimension(key))
    return filled(folder.root, CALLS[800:])


def answers(folder: StoreFolder, key: str, wanted: Filter) -> tuple[list[Group], dict[str, int]]:
    with reading(folder) as connection:
        spend = Spend(connection, wanted, UTC)
        groups = spend.by(key)
        return groups, p95(spend, key, groups)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("wanted", RANGES.values(), ids=RANGES)
def test_a_roll_up_says_what_the_calls_say(plain: StoreFolder, rolled: StoreFolder, key: str, wanted: Filter) -> None:
    assert answers(rolled, key, wanted) == answers(plain, key, wanted)


def test_the_next_report_takes_in_what_was_folded_since(plain: StoreFolder, tmp_path: Path) -> None:
    folder = filled(tmp_path, CALLS[:500])
    rollup.roll_up(folder, dimension("user"))
    filled(tmp_path, CALLS[500:])
    rollup.roll_up(folder, dimension("user"))
    assert covered(folder) == {"user": len(CALLS)}
    assert answers(folder, "user", Filter()) == answers(plain, "user", Filter())


def covered(folder: StoreFolder) -> dict[str, int]:
    with reading(folder) as connection:
        return dict(connection.execute("SELECT key, seq FROM rollups"))


def test_only_keys_of_who_asked_are_rolled_up_and_only_where_the_store_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path, CALLS[:20])
    rollup.roll_up(folder, dimension("label"))
    monkeypatch.setattr(rollup, "LEAST_CALLS", 21)
    rollup.roll_up(folder, dimension("user"))
    assert covered(folder) == {}


def test_another_filter_is_not_answered_from_a_roll_up(plain: StoreFolder, rolled: StoreFolder) -> None:
    wanted = Filter(values={"task": ("t1",)})
    assert answers(rolled, "user", wanted) == answers(plain, "user", wanted)


def test_a_prune_leaves_nothing_of_what_it_deletes(tmp_path: Path) -> None:
    folder = filled(tmp_path, CALLS)
    rollup.roll_up(folder, dimension("user"))
    with writing(folder) as connection:
        prune(connection, MONDAY, pause=lambda _: None)
        assert connection.execute("SELECT count(*) FROM spend_by_value").fetchone() == (0,)
    only = filled(tmp_path / "only", [call for call in CALLS if call.started_ns // QUARTER_NS >= MONDAY])
    rollup.roll_up(folder, dimension("user"))
    assert answers(folder, "user", Filter()) == answers(only, "user", Filter())


def test_a_report_that_rolls_up_during_a_prune_keeps_nothing_of_it(tmp_path: Path) -> None:
    folder = filled(tmp_path, CALLS)
    with writing(folder) as connection:
        prune(
            connection,
            MONDAY,
            progress=lambda _: rollup.roll_up(folder, dimension("user")),
            pause=lambda _: None,
        )
    only = filled(tmp_path / "only", [call for call in CALLS if call.started_ns // QUARTER_NS >= MONDAY])
    assert covered(folder) == {}
    rollup.roll_up(folder, dimension("user"))
    assert answers(folder, "user", Filter()) == answers(only, "user", Filter())


@contextmanager
def of_version_2() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmcost.store.schema.MIGRATIONS", MIGRATIONS[:2])
        yield


def test_an_older_store_that_cannot_be_brought_up_is_still_read(tmp_path: Path) -> None:
    with of_version_2():
        folder = filled(tmp_path, CALLS[:30])
    groups, _ = answers(folder, "user", Filter())
    assert sum(group.sums.calls for group in groups) == 30
    with sqlite3.connect(folder.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_calls_of_unknown_cost_add_no_cost(tmp_path: Path) -> None:
    folder = filled(tmp_path, [replace(a_call(n, cost=None), run_id="r") for n in range(3)])
    rollup.roll_up(folder, dimension("run"))
    filled(tmp_path, [a_call(9)])
    groups, tails = answers(folder, "run", Filter())
    assert "r" not in tails
    assert {group.key: group.sums.due for group in groups}["r"] is None
