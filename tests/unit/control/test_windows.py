"""Windows over clock changes, month ends and leap days."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcost.control.windows import FOREVER, WINDOWS, rolling, rolling_step, seconds_of

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
    "America/Santiago",
    "Pacific/Apia",
)


def at(text: str, zone: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("kind", "zone", "moment", "start", "end"),
    [
        # 25 hours and 23 hours: the clock goes back and forth.
        ("daily", "Europe/Berlin", "2026-10-25T12:00", "2026-10-25T00:00", "2026-10-26T00:00"),
        ("daily", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),
        ("daily", "America/New_York", "2026-11-01T23:59:59", "2026-11-01T00:00", "2026-11-02T00:00"),
        ("daily", "America/New_York", "2026-03-08T03:00", "2026-03-08T00:00", "2026-03-09T00:00"),
        ("daily", "Asia/Tokyo", "2026-05-05T00:00:01", "2026-05-05T00:00", "2026-05-06T00:00"),
        # Midnight does not exist: the day begins at 01:00.
        ("daily", "Africa/Cairo", "2026-04-24T12:00", "2026-04-24T01:00", "2026-04-25T00:00"),
        # Midnight comes twice: the day begins with the first.
        ("daily", "America/Havana", "2026-11-01T00:30", "2026-11-01T00:00", "2026-11-02T00:00"),
        # Leap day and month ends.
        ("daily", "UTC", "2028-02-29T12:00", "2028-02-29T00:00", "2028-03-01T00:00"),
        ("monthly", "UTC", "2028-02-29T23:59:59", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("monthly", "UTC", "2027-02-28T23:59:59", "2027-02-01T00:00", "2027-03-01T00:00"),
        ("monthly", "Europe/Berlin", "2026-10-31T23:30", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("monthly", "America/New_York", "2026-12-31T23:59:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("monthly", "Asia/Kathmandu", "2027-01-31T12:00", "2027-01-01T00:00", "2027-02-01T00:00"),
        # Weeks begin on Monday and may span a change, a month and a year.
        ("weekly", "Europe/Berlin", "2026-10-25T23:00", "2026-10-19T00:00", "2026-10-26T00:00"),
        ("weekly", "America/New_York", "2026-11-02T00:00", "2026-11-02T00:00", "2026-11-09T00:00"),
        ("weekly", "UTC", "2027-01-01T08:00", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("hourly", "Asia/Kathmandu", "2026-05-05T10:59:59", "2026-05-05T10:00", "2026-05-05T11:00"),
        ("hourly", "Australia/Lord_Howe", "2026-10-04T02:45", "2026-10-04T02:30", "2026-10-04T03:00"),
    ],
)
def test_windows_follow_the_local_clock(kind: str, zone: str, moment: str, start: str, end: str) -> None:
    assert WINDOWS[kind](at(moment, zone), ZoneInfo(zone)) == (at(start, zone), at(end, zone))


def test_a_day_is_as_long_as_the_clock_makes_it() -> None:
    zone = ZoneInfo("Europe/Berlin")
    lengths = [
        (window.end - window.start) / 3600
        for day in ("2026-03-29", "2026-06-01", "2026-10-25")
        for window in [WINDOWS["daily"](at(f"{day}T12:00", "Europe/Berlin"), zone)]
    ]
    assert lengths == [23, 24, 25]


def test_the_hour_that_comes_twice_is_two_windows() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = WINDOWS["hourly"](at("2026-10-25T02:30", "Europe/Berlin"), zone)
    second = WINDOWS["hourly"](at("2026-10-25T02:30", "Europe/Berlin", fold=1), zone)
    assert first.end == second.start
    assert second.end - first.start == 7_200


def test_a_total_has_no_end() -> None:
    assert WINDOWS["total"](1.0, ZoneInfo("UTC")) == (0, FOREVER)


@given(
    st.integers(1_200_000_000, 2_100_000_000),
    st.sampled_from(ZONES),
    st.sampled_from([kind for kind in WINDOWS if kind != "total"]),
)
def test_windows_part_time_without_gap_or_overlap(moment: int, zone: str, kind: str) -> None:
    info = ZoneInfo(zone)
    window = WINDOWS[kind](moment, info)
    assert window.start <= moment < window.end
    for inside in (window.start, (window.start + window.end) // 2, window.end - 1):
        assert WINDOWS[kind](inside, info) == window
    assert WINDOWS[kind](window.end, info).start == window.end
    assert WINDOWS[kind](window.start - 1, info).end == window.start


@given(st.integers(1_500_000_000, 2_000_000_000), st.integers(60, 40 * 86_400), st.floats(0, 1, exclude_max=True))
def test_a_rolling_window_lets_go_late_but_never_early(spent_at: int, length: int, share: float) -> None:
    slot_of_spend = rolling(spent_at, length)[0].start
    inside = spent_at + int(length * share)
    slot, first = rolling(inside, length)
    assert first <= slot_of_spend <= slot.start
    outside = spent_at + length + 2 * rolling_step(length)
    assert slot_of_spend < rolling(outside, length)[1]


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5_400), ("24h", 86_400), ("30d", 2_592_000), ("60s", 60)])
def test_lengths_are_read(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "24 hours", "-1h", "30s", "1.5h"])
def test_wrong_lengths_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|shorter"):
        seconds_of(text)
