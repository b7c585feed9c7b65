"""The forecaster on series whose answer is known."""

from __future__ import annotations

import json
import math
import pickle
import random

import pytest

from llmcost.insight import ENOUGH_DAYS, CostPrediction, Exhaustion, Forecaster, NotEnoughHistory, predict_cost
from llmcost.insight.forecaster import DAY

MONDAY = 1735516800.0  # 2024-12-30 00:00 UTC
WEEKDAYS = [1.2, 1.1, 1.3, 1.2, 1.0, 0.2, 0.1]


def spend(values: list[float], start: float = MONDAY) -> Forecaster:
    forecaster = Forecaster()
    for day, value in enumerate(values):
        forecaster.update(start + day * DAY + DAY / 2, value)
    return forecaster


def weekly(days: int, level: float = 10.0) -> list[float]:
    return [level * WEEKDAYS[day % 7] for day in range(days)]


def test_a_level_series_goes_on() -> None:
    forecast = spend([10.0] * 60).predict(MONDAY + 90 * DAY, now=MONDAY + 60 * DAY)
    assert forecast.ahead == pytest.approx(300.0, rel=0.001)
    assert forecast.lower(0.95) < forecast.lower(0.8) <= forecast.mean <= forecast.upper(0.8) < forecast.upper(0.95)


def test_weekdays_are_learnt() -> None:
    days = spend(weekly(70)).daily(7, now=MONDAY + 70 * DAY)
    assert days == pytest.approx([10.0 * share for share in WEEKDAYS], abs=0.7)


def test_what_is_spent_is_certain() -> None:
    forecaster = spend([10.0] * 60)
    now, end = MONDAY + 60 * DAY, MONDAY + 70 * DAY
    bare, with_spent = forecaster.predict(end, now), forecaster.predict(end, now, spent=500.0)
    assert with_spent.mean == pytest.approx(bare.mean + 500.0)
    assert with_spent.lower(0.99) >= 500.0
    assert with_spent.p_exceed(499.0) == 1.0


def test_a_new_level_is_followed_within_days() -> None:
    forecaster = spend([10.0] * 60 + [40.0] * 7)
    ahead = forecaster.predict(MONDAY + 74 * DAY, now=MONDAY + 67 * DAY).ahead / 7
    assert 25.0 < ahead < 45.0


def test_one_odd_day_is_not_a_new_level() -> None:
    quiet = [10.0, 11.0, 9.0] * 20
    usual = spend(quiet).predict(MONDAY + 74 * DAY, now=MONDAY + 61 * DAY).ahead
    odd = spend([*quiet, 100.0]).predict(MONDAY + 74 * DAY, now=MONDAY + 61 * DAY).ahead
    assert odd < 1.6 * usual


def test_silent_days_are_zeros() -> None:
    forecaster = spend([10.0] * 30)
    before = forecaster.predict(MONDAY + 60 * DAY, now=MONDAY + 30 * DAY).ahead
    after = forecaster.predict(MONDAY + 80 * DAY, now=MONDAY + 50 * DAY).ahead
    assert forecaster.history_days == 50
    assert after < 0.4 * before


def test_a_clock_that_leaps_years_costs_no_years_of_work() -> None:
    forecaster = spend([10.0] * 30)
    forecaster.update(MONDAY + 40_000 * DAY, 1.0)
    assert forecaster.history_days < 100


def test_late_spend_counts_today() -> None:
    forecaster = spend([10.0] * 30)
    forecaster.update(MONDAY + 3 * DAY, 5.0)
    assert forecaster.history_days == 29
    forecaster.predict(MONDAY + 60 * DAY, now=MONDAY + 30 * DAY)
    assert sum(forecaster._model.recent) == pytest.approx(28 * 10 + 5)


def test_the_rest_of_a_day_follows_its_hours() -> None:
    forecaster = Forecaster()
    for day in range(30):
        for hour in range(8, 18):
            forecaster.update(MONDAY + day * DAY + hour * 3600 + 60, 1.0)
    start = MONDAY + 30 * DAY
    evening = forecaster.predict(start + DAY, now=start + 19 * 3600)
    morning = forecaster.predict(start + DAY, now=start + 7 * 3600)
    assert evening.ahead < 0.5
    assert morning.ahead > 8.0


def test_the_day_begins_where_the_zone_says() -> None:
    tokyo = Forecaster(utc_offset_s=9 * 3600.0)
    tokyo.update(MONDAY + 14 * 3600, 1.0)
    tokyo.update(MONDAY + 16 * 3600, 1.0)
    assert tokyo.history_days == 1


def test_too_little_history_is_said() -> None:
    forecaster = spend([10.0] * 3)
    forecast = forecaster.predict(MONDAY + 30 * DAY, now=MONDAY + 3 * DAY)
    assert not forecast.enough_history
    said = predict_cost(forecast, budget=100.0)
    assert said == NotEnoughHistory(3)
    assert str(said) == f"not enough history: 3 of {ENOUGH_DAYS} days"
    assert forecaster.exhaustion(100.0, MONDAY + 30 * DAY, now=MONDAY + 3 * DAY) == NotEnoughHistory(3)


def test_without_any_spend_nothing_is_said() -> None:
    assert isinstance(predict_cost(Forecaster().predict(MONDAY + DAY, now=MONDAY)), NotEnoughHistory)


def test_the_record_that_is_shown() -> None:
    forecast = spend(weekly(60)).predict(MONDAY + 90 * DAY, now=MONDAY + 60 * DAY)
    shown = predict_cost(forecast, budget=forecast.quantile(0.88), confidence=0.8)
    assert isinstance(shown, CostPrediction)
    assert shown.lower < shown.mean < shown.upper
    assert shown.std > 0
    assert shown.risk_score == pytest.approx(0.12)
    assert predict_cost(forecast) == CostPrediction(
        forecast.mean, forecast.std, forecast.lower(0.95), forecast.upper(0.95), None, 0.95
    )


def test_the_day_of_exhaustion() -> None:
    forecaster = spend([10.0] * 60)
    now, end = MONDAY + 60 * DAY, MONDAY + 90 * DAY
    when = forecaster.exhaustion(155.0, end, now, spent=0.0)
    assert isinstance(when, Exhaustion)
    assert when.expected is not None
    assert when.earliest is not None
    assert 15 <= (when.expected - now) / DAY <= 17
    assert when.earliest <= when.expected
    assert when.latest is None or when.latest >= when.expected


def test_a_budget_that_lasts_has_no_such_day() -> None:
    forecaster = spend([10.0] * 60)
    assert forecaster.exhaustion(5000.0, MONDAY + 90 * DAY, MONDAY + 60 * DAY) == Exhaustion(None, None, None)


def test_a_budget_that_is_used_up_is_used_up_now() -> None:
    now = MONDAY + 60 * DAY
    assert spend([10.0] * 60).exhaustion(50.0, now + DAY, now, spent=60.0) == Exhaustion(now, now, now)


def test_chance_and_quantile_are_one_function() -> None:
    rng = random.Random(1)
    forecast = spend([10.0 * rng.lognormvariate(0, 0.4) for _ in range(90)]).predict(
        MONDAY + 104 * DAY, now=MONDAY + 90 * DAY, spent=20.0
    )
    for p in (0.01, 0.05, 0.33, 0.5, 0.81, 0.97):
        assert forecast.p_exceed(forecast.quantile(p)) == pytest.approx(1 - p, abs=1e-6)
    falling = [forecast.p_exceed(budget) for budget in range(0, 2000, 20)]
    assert falling == sorted(falling, reverse=True)


def test_the_state_is_resumed_in_the_middle_of_a_day() -> None:
    rng = random.Random(2)
    whole, first = Forecaster(), Forecaster()
    moments = [(MONDAY + 3600.0 * hour, rng.random()) for hour in range(24 * 40)]
    for ts, cost in moments[:500]:
        whole.update(ts, cost)
        first.update(ts, cost)
    second = Forecaster()
    second.load(json.loads(json.dumps(first.dump())))
    for ts, cost in moments[500:]:
        whole.update(ts, cost)
        second.update(ts, cost)
    end = MONDAY + 60 * DAY
    assert second.predict(end).quantile(0.9) == whole.predict(end).quantile(0.9)
    assert second.dump() == whole.dump()


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match="Forecaster: expected 6 values, got 2"):
        Forecaster().load([1, 2])


def test_the_state_stays_small() -> None:
    forecaster = spend([10.0 + day % 5 for day in range(400)])
    assert len(pickle.dumps(forecaster.dump())) <= 4000
    size = len(json.dumps(forecaster.dump()))
    for day in range(400, 800):
        forecaster.update(MONDAY + day * DAY, 10.0 + day % 5)
    assert len(json.dumps(forecaster.dump())) < 1.2 * size


def test_wild_numbers_give_finite_answers() -> None:
    rng = random.Random(3)
    for _ in range(20):
        values = [rng.choice([0.0, 1e-9, 1.0, 1e9]) * rng.random() for _ in range(80)]
        forecast = spend(values).predict(MONDAY + 110 * DAY, now=MONDAY + 80 * DAY)
        numbers = [forecast.mean, forecast.lower(0.95), forecast.upper(0.95), forecast.p_exceed(1.0), forecast.std]
        assert all(math.isfinite(number) and number >= 0 for number in numbers)
