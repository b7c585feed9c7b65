"""What comes in the same hour of each week is a habit: no news, until it grows."""

from __future__ import annotations

import json
import math
import random

import pytest

from llmcost.insight import Detector, Severity
from llmcost.insight.week import WeekHabit

BUCKET = 600.0
DAY_BUCKETS = 144
WEEK_BUCKETS = 7 * DAY_BUCKETS
MONDAY = 1735516800.0  # 2024-12-30 00:00 UTC
JOB_AT = 2 * 6
"""Buckets after midnight: 02:00."""


class Weekly:
    """A key with a daily habit, and a batch job each Monday at 02:00."""

    def __init__(self, times: float, hours: int = 1, dear: float = 1.0, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.detector = Detector()
        self.times, self.hours, self.dear = times, hours, dear
        self.now = 0

    def week(self, times: float | None = None) -> list[Severity]:
        """Let a week pass; the alerts raised on its Monday. ``times`` is the size of this week's job."""
        job = self.times if times is None else times
        alerts = []
        for bucket in range(WEEK_BUCKETS):
            by_day = 0.5 + 0.5 * math.sin(2 * math.pi * (self.now % DAY_BUCKETS) / DAY_BUCKETS)
            calls = max(0, round((1 + 9 * by_day) * self.random.lognormvariate(0, 0.2)))
            cost = calls * 0.01 * self.random.lognormvariate(0, 0.05)
            if JOB_AT <= bucket < JOB_AT + 6 * self.hours:
                batch = round(10 * job * self.random.lognormvariate(0, 0.2))
                calls, cost = calls + batch, cost + batch * 0.01 * self.dear
            begin = MONDAY + self.now * BUCKET
            self.detector.update(begin + 1, cost, calls)
            alert = self.detector.update(begin + BUCKET, 0.0, 0)
            self.now += 1
            if alert and bucket < DAY_BUCKETS:
                alerts.append(alert)
        return alerts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("times", "hours", "dear"), [(3.0, 1, 1.0), (10.0, 1, 1.0), (10.0, 6, 1.0), (50.0, 1, 1.0), (2.0, 2, 8.0)]
)
def test_a_weekly_job_is_no_news_from_the_third_week_on(times: float, hours: int, dear: float, seed: int) -> None:
    key = Weekly(times, hours, dear, seed)
    key.week()
    assert set(key.week()) & {"medium", "high"}
    later = [severity for _ in range(6) for severity in key.week()]
    assert not [severity for severity in later if severity != "low"]
    assert len(later) <= 1


def test_a_job_that_grows_is_news() -> None:
    key = Weekly(10.0)
    for _ in range(4):
        key.week()
    assert "high" in key.week(times=60.0)


def test_what_came_once_is_no_habit() -> None:
    key = Weekly(0.0)
    key.week()
    key.week()
    for _ in range(2):
        assert "high" in key.week(times=30.0)
        assert "high" not in key.week()


def test_a_habit_that_is_missed_is_forgotten() -> None:
    habit = WeekHabit()
    heights = []
    for above in (3.0, 3.0, 0.0, 0.0, 0.0, 0.0):
        for hour in range(168):
            habit.learn(hour, above if hour == 50 else 0.0)
        habit.learn(0, 0.0)
        heights.append(habit.known(50))
    assert heights[0] == 0.0
    assert heights[1] > 3.0
    assert heights[1:] == sorted(heights[1:], reverse=True)
    assert heights[-1] == 0.0


def test_the_hours_beside_count_so_that_a_job_may_start_early_or_late() -> None:
    habit = WeekHabit()
    for _ in range(2):
        for hour in range(168):
            habit.learn(hour, 2.0 if hour == 0 else 0.0)
    habit.learn(0, 0.0)
    assert habit.known(167) == habit.known(0) == habit.known(1) > 2.0
    assert habit.known(2) == habit.known(166) == 0.0
    twin = WeekHabit()
    twin.load(json.loads(json.dumps(habit.dump())))
    assert twin.dump() == habit.dump()
