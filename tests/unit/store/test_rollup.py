"""What is rolled up says what the calls say, whatever was folded, deleted or broken off since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from factories import START_NS, a_call, many_calls
from stores import filled, killed

from llmcost.calls import Call
from llmcost.store import rollup
from llmcost.store.booking import QUARTER_NS, WEEK
from llmcost.store.database import reading, writing
from llmcost.store.filters import Filter
from llmcost.store.paths import StoreFolder
from llmcost.store.percentiles import p95, p95_of_all
from llmcost.store.prune import prune
from llmcost.store.query import Group, Spend
from llmcost.store.schema import MIGRATIONS

START = START_NS // QUARTER_NS
KEYS = ("user", "run", "agent", "session", "task")
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
    "of a label": Filter(values={"label": ("research",)}),
    "of a label in a range": Filter(MONDAY + 1, MONDAY + WEEK + 1, {"section": ("research", "chat-bot")}),
    "of a user": Filter(values={"user": ("user-3",)}),
    "of a task and a model": Filter(MONDAY + 1, None, {"task": ("t1",), "model": ("gpt-5-mini",)}),
    "of a user and a task": Filter(values={"user": ("user-3", "user-4"), "task": ("t1", "t2")}),
    "of no task": Filter(values={"task": ("",)}),
    "of nobody": Filter(values={"user": ("nobody",)}),
}


def about(call: Call, number: int) -> Call:
    attribution = replace(call.attribution, context={"task": f"t{number % 3}"} if number % 4 else {})
    return replace(call, attribution=attribution, run_id=f"run-{number // 200}")


CALLS = [about(call, n) for n, call in enumerate(many_calls(1200, days=30, users=50))]
LATER = [call for call in CALLS if call.started_ns // QUARTER_NS >= MONDAY]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> StoreFolder:
    """A store of which nothing is rolled up."""
    return filled(tmp_path_factory.mktemp("plain"), CALLS)


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> StoreFolder:
    """A store that is rolled up in steps, to two thirds of its calls."""
    folder = filled(tmp_path_factory.mktemp("rolled"), CALLS[:800])
    roll_up(folder, 70)
    return filled(folder.root, CALLS[800:])


def roll_up(folder: StoreFolder, calls: int = 250) -> None:
    """Roll up all calls, so many at a time."""
    with pytest.MonkeyPatch.context() as patch, writing(folder) as connection:
        patch.setattr(rollup, "STEP", calls)
        while rollup.is_due(connection):
            rollup.step(connection)
        patch.setattr(rollup, "STEP", 1)
        while rollup.is_due(connection):
            patch.setattr(rollup, "STEP", calls)
            rollup.step(connection)
            patch.setattr(rollup, "STEP", 1)


Answer = tuple[list[Group], dict[str, int], int | None]


def answer(folder: StoreFolder, key: str, wanted: Filter) -> Answer:
    with reading(folder) as connection:
        spend = Spend(connection, wanted, UTC)
        groups = spend.by(key)
        return groups, p95(spend, key, groups), p95_of_all(spend)


def answers(folder: StoreFolder) -> list[Answer]:
    return [answer(folder, key, wanted) for key in KEYS for wanted in RANGES.values()]


def covered(folder: StoreFolder) -> int:
    """The number of the last call that is rolled up."""
    with reading(folder) as connection:
        return int(connection.execute("SELECT seq FROM rolled_up").fetchone()[0])


@pytest.mark.parametrize("key", [*KEYS, "label", "hour"])
@pytest.mark.parametrize("wanted", RANGES.values(), ids=RANGES)
def test_a_roll_up_says_what_the_calls_say(plain: StoreFolder, rolled: StoreFolder, key: str, wanted: Filter) -> None:
    assert (covered(plain), covered(rolled)) == (0, 800)
    assert answer(rolled, key, wanted) == answer(plain, key, wanted)


def test_folding_rolls_up_as_soon_as_there_are_enough_calls(
    plain: StoreFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "STEP", 500)
    monkeypatch.setattr("llmcost.store.fold.CHUNK", 50_000)
    folder = filled(tmp_path, CALLS)
    assert 500 <= covered(folder) <= 1200
    assert answers(folder) == answers(plain)


def test_what_no_call_names_is_the_rest(tmp_path: Path) -> None:
    with_a_task = [call for call in CALLS if call.attribution.context]
    folder = filled(tmp_path, [*with_a_task[:300], *CALLS[:4]])
    roll_up(folder)
    groups, tails, _ = answer(folder, "task", Filter())
    assert {group.key for group in groups} == {"t0", "t1", "t2", ""}
    assert sum(group.sums.calls for group in groups) == 301
    assert tails[""] == round((CALLS[0].cost.total or 0) * 1e9)


def test_a_key_with_nearly_as_many_values_as_calls_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: StoreFolder
) -> None:
    monkeypatch.setattr(rollup, "_MANY_VALUES", 100)
    calls = [
        replace(call, attribution=replace(call.attribution, context={**call.attribution.context, "request": str(n)}))
        for n, call in enumerate(CALLS)
    ]
    folder = filled(tmp_path, calls)
    roll_up(folder, 70)
    with reading(folder) as connection:
        kept = dict(connection.execute("SELECT name, left_out FROM asker_keys"))
        number = connection.execute("SELECT count(*) FROM asker_values JOIN asker_keys ON key = asker_keys.id"
                                    " WHERE name = 'request'").fetchone()[0]  # fmt: skip
    assert kept == {"user": 0, "run": 0, "task": 0, "request": 1}
    assert number < 300
    groups, _, _ = answer(folder, "request", Filter())
    assert (len(groups), sum(group.sums.calls for group in groups)) == (1200, 1200)
    assert answer(folder, "label", Filter(values={"request": ("77",)}))[0][0].sums.calls == 1
    assert answers(folder) == answers(plain)


@pytest.mark.parametrize("context", [{"n": 1}, {"n": 1.5}, {"n": True}, {"n": None}, {"n": [1, "é"]}, {"label": "x"}])
def test_values_of_any_kind_are_the_same_rolled_up(tmp_path: Path, context: dict[str, Any]) -> None:
    call = a_call(1)
    calls = [replace(call, attribution=replace(call.attribution, context=context)), a_call(2)]
    folder = filled(tmp_path, calls)
    key = next(iter(context))
    before = answer(folder, key, Filter())
    only = Filter(values={key: (before[0][0].key,)})
    left = answer(folder, "model", only)
    roll_up(folder)
    assert answer(folder, key, Filter()) == before
    assert answer(folder, "model", only) == left


# --- deleting ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def only_later(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    return answers(filled(tmp_path_factory.mktemp("later"), LATER))


@pytest.mark.parametrize("before", [MONDAY, MONDAY + 100])
def test_a_prune_leaves_nothing_of_what_it_deletes(tmp_path: Path, before: int) -> None:
    folder = filled(tmp_path / "all", CALLS)
    roll_up(folder)
    with writing(folder) as connection:
        prune(connection, before, pause=lambda _: None)
    only = answers(filled(tmp_path / "only", [c for c in CALLS if c.started_ns // QUARTER_NS >= before]))
    assert answers(folder) == only
    with reading(folder) as connection:
        assert connection.execute("SELECT count(*) FROM weeks_to_roll").fetchone() == (0,)
        first = connection.execute("SELECT min(week) FROM spend_by_asker").fetchone()
        gone = "SELECT count(*) FROM origins_by_value WHERE origin NOT IN (SELECT id FROM origins)"
        assert (first, connection.execute(gone).fetchone()) == ((MONDAY // WEEK,), (0,))


def test_rolling_up_during_a_prune_keeps_nothing_of_it(tmp_path: Path, only_later: list[Answer]) -> None:
    folder = filled(tmp_path, CALLS[:800])
    roll_up(folder)
    filled(tmp_path, CALLS[800:])
    with writing(folder) as connection:
        prune(connection, MONDAY, progress=lambda _: roll_up(folder), pause=lambda _: None)
    assert answers(folder) == only_later
    roll_up(folder)
    assert answers(folder) == only_later


def test_old_calls_that_come_during_a_prune_leave_no_sums(tmp_path: Path, only_later: list[Answer]) -> None:
    folder = filled(tmp_path, CALLS)
    late = [a_call(5000 + n, started_ns=START_NS - (n + 1) * WEEK * QUARTER_NS) for n in range(3)]

    def meanwhile(_: int) -> None:
        if late:
            filled(tmp_path, [late.pop()])
            roll_up(folder)

    roll_up(folder)
    with writing(folder) as connection:
        prune(connection, MONDAY, progress=meanwhile, pause=lambda _: None)
    roll_up(folder)
    assert answers(folder) == only_later


def test_two_prunes_at_once(tmp_path: Path, only_later: list[Answer]) -> None:
    folder = filled(tmp_path, CALLS)
    roll_up(folder)
    done: list[int] = []

    def another(_: int) -> None:
        if not done:
            done.append(1)
            with writing(folder) as connection:
                prune(connection, MONDAY - WEEK, pause=lambda _: None)
        roll_up(folder)

    with writing(folder) as connection:
        prune(connection, MONDAY, progress=another, pause=lambda _: None)
    roll_up(folder)
    assert answers(folder) == only_later


def test_numbers_that_are_given_again_are_rolled_up_again(tmp_path: Path, plain: StoreFolder) -> None:
    old = [replace(call, id=f"old{n}", started_ns=START_NS - WEEK * QUARTER_NS) for n, call in enumerate(CALLS[::-1])]
    folder = filled(tmp_path, old)
    roll_up(folder)
    with writing(folder) as connection:
        prune(connection, START - 1, pause=lambda _: None)
    assert covered(folder) == 0
    filled(tmp_path, CALLS)
    assert answers(folder) == answers(plain)
    roll_up(folder)
    assert answers(folder) == answers(plain)


ROLLING = """
rollup.STEP = 200
with database.writing(folder) as connection:
    while rollup.is_due(connection):
        rollup.step(connection)
    if sys.argv[3:]:
        prune(connection, int(sys.argv[3]), pause=lambda _: None)
"""


@pytest.mark.parametrize("statements", [9, 20, 27, 45])
def test_a_kill_while_rolling_up_loses_nothing(tmp_path: Path, plain: StoreFolder, statements: int) -> None:
    folder = filled(tmp_path, CALLS)
    killed(ROLLING, folder, statements)
    assert covered(folder) % 200 == 0
    assert answers(folder) == answers(plain)
    roll_up(folder)
    assert answers(folder) == answers(plain)


@pytest.mark.parametrize("statements", [8, 16, 24, 60])
def test_a_kill_while_pruning_leaves_what_the_calls_say(tmp_path: Path, statements: int) -> None:
    folder = filled(tmp_path, CALLS)
    roll_up(folder)
    killed(ROLLING, folder, statements, MONDAY)
    roll_up(folder)
    with reading(folder) as connection:
        left = connection.execute("SELECT count(*), sum(nano) FROM calls").fetchone()
    groups, _, _ = answer(folder, "user", Filter(MONDAY))
    with reading(folder) as connection:
        later = connection.execute("SELECT count(*), sum(nano) FROM calls WHERE quarter >= ?", (MONDAY,)).fetchone()
    assert (sum(g.sums.calls for g in groups), sum(g.sums.nano for g in groups)) == later
    every, _, _ = answer(folder, "user", Filter())
    assert (sum(g.sums.calls for g in every), sum(g.sums.nano for g in every)) == left


# --- older stores -----------------------------------------------------------------------------------------------


@contextmanager
def of_version(number: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmcost.store.schema.MIGRATIONS", MIGRATIONS[:number])
        patch.setattr("llmcost.store.fold.is_due", lambda _: False)
        yield


@pytest.mark.parametrize("number", [2, 3])
def test_an_older_store_is_read_and_then_brought_up(tmp_path: Path, plain: StoreFolder, number: int) -> None:
    with of_version(number):
        folder = filled(tmp_path, CALLS)
    assert answers(folder) == answers(plain)
    with sqlite3.connect(folder.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (number,)
    rollup.catch_up(folder)
    roll_up(folder)
    assert covered(folder) == len(CALLS)
    assert answers(folder) == answers(plain)


def test_a_store_that_is_up_to_date_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path, CALLS[:30])
    monkeypatch.setattr(rollup, "writing", None)
    rollup.catch_up(folder)
    monkeypatch.undo()
    monkeypatch.setattr(rollup, "STEP", 30)
    rollup.catch_up(folder)
    assert covered(folder) == 30


def test_calls_of_unknown_cost_add_no_cost(tmp_path: Path) -> None:
    folder = filled(tmp_path, [replace(a_call(n, cost=None), run_id="r") for n in range(3)])
    roll_up(folder)
    filled(tmp_path, [a_call(9)])
    groups, tails, _ = answer(folder, "run", Filter())
    assert "r" not in tails
    assert {group.key: group.sums.due for group in groups}["r"] is None
