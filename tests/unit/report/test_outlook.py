"""What a period will cost: periods, budgets, days, and what is said where the history is too short."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from factories import a_call
from stores import filled

import llmcost
from llmcost.calls import Attribution, Call
from llmcost.control import Budget, Limits
from llmcost.errors import ConfigError, StoreError
from llmcost.insight import CostPrediction, Exhaustion, NotEnoughHistory
from llmcost.report.fan import ASCII, UNICODE, fan
from llmcost.report.outlook import Outlook, budget_outlooks, period_of
from llmcost.report.pasts import StorePast
from llmcost.store.database import reading
from llmcost.store.paths import StoreFolder

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = 86_400


def calls(days: int, cost: float = 1.0) -> Iterator[Call]:
    """A call an hour, up to ``NOW``: two of three by u1, in two sections."""
    for hour in range(24 * days):
        about = Attribution(
            label="chat" if hour % 2 else "search", label_source="map", user_id="u2" if hour % 3 == 2 else "u1"
        )
        started = int(NOW.timestamp()) - 3600 * (24 * days - hour) + 60
        yield a_call(hour, started_ns=started * 10**9, cost=cost / 24, attribution=about)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return filled(tmp_path / ".llmcost", calls(40)).root


def test_an_even_month_ends_where_it_must(store: Path) -> None:
    found = llmcost.forecast(store=store, now=NOW, budget=30.0)
    assert isinstance(found, CostPrediction)
    assert found.mean == pytest.approx(30.0, rel=0.01)
    assert found.lower < 30.0 < found.upper
    assert found.risk_score == pytest.approx(0.5, abs=0.3)
    wide = llmcost.forecast(store=store, now=NOW, confidence=0.99)
    assert isinstance(wide, CostPrediction)
    assert wide.lower < found.lower
    assert wide.upper > found.upper
    assert wide.risk_score is None


def test_one_user_one_label_both_and_the_next_days(store: Path) -> None:
    user = llmcost.forecast(user_id="u1", store=store, now=NOW)
    label = llmcost.forecast(label="chat", store=store, now=NOW)
    both = llmcost.forecast("u1", "chat", store=store, now=NOW)
    ahead = llmcost.forecast(horizon=3, store=store, now=NOW)
    for found, expected in ((user, 20.0), (label, 15.0), (both, 10.0), (ahead, 3.0)):
        assert isinstance(found, CostPrediction)
        assert found.mean == pytest.approx(expected, rel=0.02)


def test_too_short_a_history_is_said(tmp_path: Path) -> None:
    store = filled(tmp_path, calls(5)).root
    assert llmcost.forecast(store=store, now=NOW) == NotEnoughHistory(5)
    assert str(llmcost.forecast(store=store, now=NOW)) == "not enough history: 5 of 7 days"
    assert llmcost.forecast("nobody", store=store, now=NOW) == NotEnoughHistory(0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"horizon": "year"}, "horizon: 'year' is neither 'month' nor a number of days up to 365"),
        ({"horizon": 0}, "horizon: 0 is neither"),
        ({"confidence": 95}, "confidence: 95 is not between 0 and 1"),
        ({"now": datetime(2026, 11, 20)}, "now: a time without a zone"),  # noqa: DTZ001
    ],
)
def test_what_is_wrong_is_named(store: Path, arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        llmcost.forecast(store=store, **{"now": NOW, **arguments})  # type: ignore[arg-type]


def test_neither_store_nor_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="no store here"):
        llmcost.forecast()


def outlooks(store: Path, budget: Budget) -> dict[tuple[str, str], Outlook]:
    with reading(StoreFolder(store)) as connection:
        found = budget_outlooks(StorePast(connection, NOW), budget, 10)
    return {(one.name, one.window or ""): one for one in found}


def test_a_budget_that_will_be_passed_says_when(store: Path) -> None:
    found = outlooks(store, Budget(name="all", monthly=25, daily=100, total=9))
    assert set(found) == {("", "monthly"), ("", "daily")}
    month = found["", "monthly"]
    assert isinstance(month.total, CostPrediction)
    assert month.total.risk_score == pytest.approx(1.0, abs=0.02)
    assert isinstance(month.exhaustion, Exhaustion)
    assert month.exhaustion.expected == pytest.approx(datetime(2026, 11, 26, tzinfo=UTC).timestamp(), abs=DAY)
    day = found["", "daily"]
    assert isinstance(day.exhaustion, Exhaustion)
    assert day.exhaustion.expected is None


def test_a_budget_of_users_is_foretold_for_each(store: Path) -> None:
    budget = Budget(name="users", scope="user", monthly=10, overrides={"u1": Limits(monthly=50)})
    found = outlooks(store, budget)
    assert {name for name, _ in found} == {"u1", "u2"}
    assert found["u1", "monthly"].limit == 50
    assert found["u2", "monthly"].limit == 10
    assert found["u2", "monthly"].spent == pytest.approx(19.5 / 3, rel=0.02)


def test_a_month_begins_in_the_zone_of_the_present() -> None:
    tokyo = datetime(2026, 12, 1, 3, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert period_of("month", tokyo).start == datetime(2026, 11, 30, 15, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kolkata"])
def test_known_days_are_those_of_the_zone_and_no_call_counts_in_two(store: Path, zone: str) -> None:
    now = NOW.astimezone(ZoneInfo(zone))
    with reading(StoreFolder(store)) as connection:
        found = StorePast(connection, now).outlook("global", {}, period_of("month", now))
    spent: dict[str, float] = {}
    for call in calls(40):
        day = datetime.fromtimestamp(call.started_ns / 1e9, ZoneInfo(zone))
        if day.month == now.month:
            spent[f"{day:%Y-%m-%d}"] = spent.get(f"{day:%Y-%m-%d}", 0.0) + (call.cost.total or 0.0)
    total = 0.0
    for day_found in (day for day in found.days if day.known):
        total += spent[day_found.day]
        assert day_found.median == pytest.approx(total)
    assert found.spent == pytest.approx(sum(spent.values()))


def test_days_lead_from_what_is_known_to_the_end(store: Path) -> None:
    with reading(StoreFolder(store)) as connection:
        found = StorePast(connection, NOW).outlook("global", {}, period_of("month", NOW))
    assert [day.known for day in found.days] == [True] * 19 + [False] * 11
    assert [day.day for day in found.days][::29] == ["2026-11-01", "2026-11-30"]
    medians = [day.median for day in found.days]
    assert medians == sorted(medians)
    assert isinstance(found.total, CostPrediction)
    assert medians[-1] == pytest.approx(found.total.mean)
    for day in found.days[19:]:
        assert day.lower95 <= day.lower80 <= day.median <= day.upper80 <= day.upper95


@pytest.mark.parametrize("marks", [UNICODE, ASCII])
def test_the_chart_is_readable_at_80_columns_without_colour(store: Path, marks: object) -> None:
    with reading(StoreFolder(store)) as connection:
        found = StorePast(connection, NOW).outlook("global", {}, period_of("month", NOW))
    lines = fan(found.days, 32.0, 80, marks)  # type: ignore[arg-type]
    assert max(map(len, lines)) <= 80
    drawn = "\n".join(lines)
    for mark in (marks.spent, marks.median, marks.limit):  # type: ignore[attr-defined]
        assert mark in drawn
    assert "11-01" in lines[-1]
    assert lines[-1].endswith("11-30")
    assert drawn.isascii() is (marks is ASCII)
