"""Sums, days in any zone, percentiles, filters."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from factories import START_NS, a_call, many_calls
from stores import filled

from llmcost.calls import Attribution, Call, Cost, nano_dollars
from llmcost.errors import ConfigError
from llmcost.store.database import reading
from llmcost.store.dimensions import DIMENSIONS, dimension
from llmcost.store.filters import QUARTER_SECONDS, Filter, moment
from llmcost.store.percentiles import p95, p95_of_all
from llmcost.store.query import Spend, Sums, added, context_keys, last_runs

ZONES = ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns")
CLOCK_CHANGE = datetime(2026, 10, 30, tzinfo=UTC)
"""America/St_Johns leaves summer time on 2026-11-01."""


@pytest.fixture(scope="module")
def spend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spend]:
    folder = filled(tmp_path_factory.mktemp("queries"), CALLS)
    with reading(folder) as connection:
        yield Spend(connection, Filter(), UTC)


def about(call: Call, number: int) -> Call:
    context = {"task": f"t{number % 3}"} if number % 2 else {}
    attribution = replace(call.attribution, context=context, agent="pm" if number % 5 else None)
    return replace(call, attribution=attribution, run_id=f"run-{number // 400}")


CALLS = [about(call, n) for n, call in enumerate(many_calls(1500, days=20, users=40))]

VALUE_OF: dict[str, Any] = {
    "label": lambda c: c.label,
    "model": lambda c: c.request_model,
    "provider": lambda c: c.provider,
    "operation": lambda c: c.operation,
    "type": lambda c: c.call_type,
    "status": lambda c: c.cost.status,
    "source": lambda c: c.attribution.label_source,
    "function": lambda c: c.attribution.site.function,
    "file": lambda c: c.attribution.site.file,
    "user": lambda c: c.attribution.user_id or "",
    "session": lambda c: c.attribution.session_id or "",
    "run": lambda c: c.run_id or "",
    "agent": lambda c: c.attribution.agent or "",
    "workflow": lambda c: c.attribution.workflow or "",
    "conversation": lambda c: c.attribution.conversation_id or "",
    "path": lambda c: c.attribution.section_path or "",
    "day": lambda c: datetime.fromtimestamp(c.started_ns // 10**9, UTC).strftime("%Y-%m-%d"),
    "hour": lambda c: datetime.fromtimestamp(c.started_ns // 10**9, UTC).strftime("%Y-%m-%d %H:00%z"),
    "task": lambda c: c.attribution.context.get("task", ""),
}


def sums_of(calls: list[Call]) -> Sums:
    known = [c.cost.total for c in calls if c.cost.total is not None]
    return Sums(
        len(calls), len(known), len(calls) - len(known), sum(map(nano_dollars, known)),
        sum(c.usage.input_tokens or 0 for c in calls), sum(c.usage.output_tokens or 0 for c in calls),
        sum(c.usage.cache_read_tokens for c in calls), sum(c.error_type is not None for c in calls),
    )  # fmt: skip


def nearest_rank(calls: list[Call]) -> int:
    costs = sorted(nano_dollars(c.cost.total) for c in calls if c.cost.total is not None)
    return costs[-(-95 * len(costs) // 100) - 1]


def test_every_dimension_is_compared() -> None:
    assert set(DIMENSIONS) < set(VALUE_OF)


@pytest.mark.parametrize("name", VALUE_OF)
def test_a_breakdown_is_what_adding_up_by_hand_gives(spend: Spend, name: str) -> None:
    by_hand: dict[str, list[Call]] = {}
    for call in CALLS:
        by_hand.setdefault(VALUE_OF[name](call), []).append(call)
    groups = spend.by(name)
    assert {group.key: group.sums for group in groups} == {key: sums_of(calls) for key, calls in by_hand.items()}
    assert added(group.sums for group in groups) == spend.total == sums_of(CALLS)
    known = {key: calls for key, calls in by_hand.items() if any(c.cost.total is not None for c in calls)}
    assert p95(spend, name, groups) == {key: nearest_rank(calls) for key, calls in known.items()}


def test_the_percentile_of_all(spend: Spend) -> None:
    assert p95_of_all(spend) == nearest_rank(CALLS)


@pytest.mark.parametrize(
    "values",
    [
        {"label": ("chat-bot", "research")},
        {"user": ("user-3",)},
        {"task": ("t1",), "model": ("gpt-5-mini",)},
        {"agent": ("",)},
        {"label": ("no such",)},
    ],
)
def test_filters_leave_what_they_name(spend: Spend, values: dict[str, tuple[str, ...]]) -> None:
    start = START_NS // 10**9 // QUARTER_SECONDS
    wanted = Filter(start + 96, start + 10 * 96, values)
    left = [
        call
        for call in CALLS
        if start + 96 <= call.started_ns // 10**9 // QUARTER_SECONDS < start + 10 * 96
        and all(VALUE_OF[name](call) in accepted for name, accepted in values.items())
    ]
    some = Spend(spend.connection, wanted, UTC)
    assert some.total == sums_of(left)
    assert {g.key: g.sums for g in some.by("label")} == {
        key: sums_of([c for c in left if c.label == key]) for key in {c.label for c in left}
    }
    if left:
        assert p95_of_all(some) == nearest_rank(left)
        assert p95(some, "user", some.by("user")).keys() <= {c.attribution.user_id for c in left}
        days = some.by("day")
        assert p95(some, "day", days).keys() == {group.key for group in days}
    else:
        assert (some.by("user"), p95_of_all(some), some.first_and_last()) == ([], None, None)


@pytest.mark.parametrize("by", ["day", "hour"])
def test_percentiles_of_times_are_the_same_in_one_pass(spend: Spend, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for groups_a_week in (0, 1_000):
        monkeypatch.setattr("llmcost.store.percentiles._GROUPS_A_WEEK", groups_a_week)
        found.append(p95(spend, by, spend.by(by)))
    assert found[0] == found[1]


def test_a_filter_that_every_call_passes_costs_nothing(tmp_path: Path) -> None:
    folder = filled(tmp_path, [a_call(1), a_call(2)])
    with reading(folder) as connection:
        only = Spend(connection, Filter(values={"run": ("run-1",), "model": ("gpt-5-mini",)}), UTC)
        assert (only.chosen, list(only.wanted.values), only.total.calls) == (None, ["model"], 2)
        assert list(only.asked.values) == ["run", "model"]
    filled(tmp_path, [a_call(3, run_id="run-2")])
    with reading(folder) as connection:
        two = Spend(connection, Filter(values={"run": ("run-1",)}), UTC)
        assert two.chosen is not None
        assert two.total.calls == 2


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spend]:
    first = CLOCK_CHANGE - timedelta(days=1)
    calls = [
        a_call(n, started_ns=int((first + timedelta(minutes=15 * n)).timestamp()) * 10**9, cost=1e-9 * (n * n + 1))
        for n in range(7 * 96)
    ]
    with reading(filled(tmp_path_factory.mktemp("hourly"), calls)) as connection:
        yield Spend(connection, Filter(), UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_days_sum_to_the_range_to_the_nano_dollar_in_every_zone(hourly: Spend, zone: str) -> None:
    place = ZoneInfo(zone)
    now = datetime(2026, 11, 20, tzinfo=place)
    since, until = (moment("--x", text, now, end=end) for text, end in (("2026-10-30", False), ("2026-11-03", True)))
    whole = Spend(hourly.connection, Filter(since, until), place)
    days = whole.by("day")
    assert [day.key for day in days] == [f"2026-{d}" for d in ("10-30", "10-31", "11-01", "11-02", "11-03")]
    assert sum(day.sums.nano for day in days) == whole.total.nano > 0
    for day in days:
        bounds = Filter(moment("--since", day.key, now), moment("--until", day.key, now, end=True))
        assert Spend(hourly.connection, bounds, place).total == day.sums
    hours = {"America/St_Johns": 25}.get(zone, 24)
    assert days[2].sums.calls == 4 * hours
    assert len(whole.by("hour")) == 24 * 4 + hours


NOW = datetime(2026, 11, 20, 12, 7, tzinfo=ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("90m", False, datetime(2026, 11, 20, 1, 30, tzinfo=UTC)),
        ("24h", False, datetime(2026, 11, 19, 3, 0, tzinfo=UTC)),
        ("7d", False, datetime(2026, 11, 13, 3, 0, tzinfo=UTC)),
        ("2w", False, datetime(2026, 11, 6, 3, 0, tzinfo=UTC)),
        ("2026-11-01", False, datetime(2026, 10, 31, 15, 0, tzinfo=UTC)),
        ("2026-11-01", True, datetime(2026, 11, 1, 15, 0, tzinfo=UTC)),
        ("2026-11-01T10:20", False, datetime(2026, 11, 1, 1, 15, tzinfo=UTC)),
        ("2026-11-01T10:20", True, datetime(2026, 11, 1, 1, 30, tzinfo=UTC)),
        ("2026-11-01T10:20+00:00", True, datetime(2026, 11, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_points_in_time(text: str, end: bool, expected: datetime) -> None:
    assert moment("--since", text, NOW, end=end) * QUARTER_SECONDS == expected.timestamp()


@pytest.mark.parametrize("text", ["", "soon", "7", "7y", "2026-13-01", "99999999999d", "\u0667d"])
def test_what_is_no_point_in_time_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--since"):
        moment("--since", text, NOW)


HOSTILE = """x'; DROP TABLE calls; -- "\\ $.'"""


def test_names_from_outside_are_data_to_sql(tmp_path: Path) -> None:
    call = a_call(
        1, label=HOSTILE, request_model=HOSTILE, run_id=HOSTILE,
        attribution=Attribution(label=HOSTILE, user_id=HOSTILE, context={HOSTILE: HOSTILE, "n": "1"}),
    )  # fmt: skip
    with reading(filled(tmp_path, [call, a_call(2)])) as connection:
        spend = Spend(connection, Filter(), UTC)
        for name in ("label", "model", "user", "run", HOSTILE):
            assert HOSTILE in {group.key for group in spend.by(name)}
            only = Spend(connection, Filter(values={name: (HOSTILE,)}), UTC)
            assert only.total.calls == 1
            assert p95_of_all(only) == 1_000_000
        assert context_keys(connection) == sorted(["n", HOSTILE])
        assert last_runs(connection, 1)[0] == "run-1"
        assert spend.total.calls == 2
    assert dimension(HOSTILE).title == HOSTILE


def test_a_lone_surrogate_does_not_stop_the_folding(tmp_path: Path) -> None:
    with reading(filled(tmp_path, [a_call(1, label="a\ud800b")])) as connection:
        assert [group.key for group in Spend(connection, Filter(), UTC).by("label")] == ["a?b"]


def test_a_call_counted_elsewhere_brings_no_money_and_no_tokens(tmp_path: Path) -> None:
    outer = a_call(1, cost=Cost("counted_elsewhere", 0.5))
    refused = a_call(2, cost=Cost("not_billed"))
    with reading(filled(tmp_path, [outer, refused])) as connection:
        total = Spend(connection, Filter(), UTC).total
    assert (total.calls, total.priced, total.unpriced, total.nano, total.input) == (2, 0, 0, 0, 1200)


def test_a_cost_that_is_no_number_is_unknown(tmp_path: Path) -> None:
    with reading(filled(tmp_path, [a_call(1, cost=float("nan")), a_call(2, cost=float("inf"))])) as connection:
        total = Spend(connection, Filter(), UTC).total
    assert (total.priced, total.unpriced, total.nano) == (0, 2, 0)
