"""The detector on made-up keys whose faults are known."""

from __future__ import annotations

import json
import math
import pickle
import random

import pytest

from llmcost.insight import SEVERITIES, Detector, Severity
from llmcost.insight.grades import IncidentGate, grade
from llmcost.insight.restless import Restless
from llmcost.insight.spend import UNIT_LEVELS
from llmcost.insight.tails import TailMeter
from llmcost.insight.unit_price import UnitPrice

BUCKET = 600.0
DAY_BUCKETS = 144
START = 1735689600.0


class Key:
    """A key with a daily habit: about ten calls of one cent a bucket by day, one by night."""

    def __init__(self, seed: int = 1, detector: Detector | None = None) -> None:
        self.random = random.Random(seed)
        self.detector = detector or Detector()
        self.now = 0
        self.alerts: list[tuple[int, Severity]] = []

    def live(self, buckets: int, *, calls: float = 1.0, price: float = 1.0) -> list[Severity]:
        """Let time pass with so many times the usual calls and price; returns the alerts raised."""
        before = len(self.alerts)
        for _ in range(buckets):
            by_day = 0.5 + 0.5 * math.sin(2 * math.pi * self.now / DAY_BUCKETS)
            made = max(0, round(calls * (1 + 9 * by_day) * self.random.lognormvariate(0, 0.2)))
            cost = made * 0.01 * price * self.random.lognormvariate(0, 0.05)
            begin = START + self.now * BUCKET
            self.detector.update(begin + 1, cost, made)
            alert = self.detector.update(begin + BUCKET, 0.0, 0)
            if alert:
                self.alerts.append((self.now, alert))
            self.now += 1
        return [alert for _, alert in self.alerts[before:]]


@pytest.fixture
def key() -> Key:
    grown = Key()
    grown.live(7 * DAY_BUCKETS)
    return grown


def test_an_even_key_is_never_reported() -> None:
    rng = random.Random(11)
    detector = Detector()
    alerts = [
        detector.update(START + bucket * BUCKET, rng.uniform(0.9, 1.1), 100) for bucket in range(DAY_BUCKETS * 21)
    ]
    assert not any(alerts)


def test_noise_is_seldom_more_than_low() -> None:
    worse = 0
    for seed in range(4):
        key = Key(seed=seed)
        key.live(DAY_BUCKETS * 7)
        worse += sum(1 for severity in key.live(DAY_BUCKETS * 7) if severity != "low")
    assert worse <= 4


def test_the_daily_habit_is_no_news(key: Key) -> None:
    assert not [severity for severity in key.live(DAY_BUCKETS * 3) if severity != "low"]


def test_a_runaway_loop_is_seen_in_its_first_bucket(key: Key) -> None:
    began = key.now
    assert key.live(3, calls=30.0) == ["high"]
    assert key.alerts[-1][0] == began
    assert key.detector.expected < 0.5


def test_a_dearer_model_is_seen_within_half_an_hour(key: Key) -> None:
    alerts = key.live(3, price=5.0)
    assert alerts
    assert "medium" in alerts or "high" in alerts


def test_an_open_incident_is_not_raised_again(key: Key) -> None:
    key.live(3, calls=30.0)
    assert key.live(30, calls=30.0) == []


def test_a_much_worse_incident_is_raised_again() -> None:
    gate = IncidentGate(hold=10)
    assert gate.passes(1.2) == "low"
    assert gate.passes(1.9) is None
    assert gate.passes(2.1) == "medium"
    assert gate.passes(2.5) is None
    assert gate.passes(3.7) == "high"
    assert gate.passes(5.0) is None
    assert gate.passes(5.3) == "high"


def test_an_incident_closes_after_a_calm() -> None:
    gate = IncidentGate(hold=3)
    assert gate.passes(1.5) == "low"
    assert gate.open
    for _ in range(3):
        assert gate.passes(0.5) is None
    assert gate.open
    gate.passes(0.5)
    assert not gate.open
    assert gate.passes(1.5) == "low"


def test_the_grade_is_the_level_and_the_way_to_the_next() -> None:
    assert [grade(score, (2.0, 4.0, 8.0)) for score in (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)] == [
        0.0,
        0.5,
        1.0,
        1.5,
        2.0,
        2.5,
        3.0,
        6.0,
    ]


def test_nothing_is_said_on_the_first_day() -> None:
    key = Key()
    key.live(60)
    assert key.live(DAY_BUCKETS - 61, calls=50.0) == []


def test_rarity_grows_with_the_value() -> None:
    meter = TailMeter(overshoot=5.0, quiet=50)
    rng = random.Random(5)
    for _ in range(500):
        meter.rarity(rng.lognormvariate(0, 0.5))
    common, rare, record = meter.rarity(1.0), meter.rarity(3.0), meter.rarity(50.0)
    assert common < 1.0 < rare < record


def test_the_state_is_resumed_in_the_middle_of_an_incident(key: Key) -> None:
    assert key.live(2, calls=30.0)
    twin = Key()
    twin.detector.load(json.loads(json.dumps(key.detector.dump())))
    twin.now, twin.random = key.now, random.Random(9)
    key.random = random.Random(9)
    assert twin.live(200, calls=2.0) == key.live(200, calls=2.0)
    assert twin.detector.dump() == key.detector.dump()


@pytest.mark.parametrize("two_sided", [False, True])
def test_the_state_stays_small(two_sided: bool) -> None:
    key = Key(detector=Detector(two_sided=two_sided))
    key.live(DAY_BUCKETS * 10)
    if not two_sided:
        assert len(pickle.dumps(key.detector.dump())) <= 2000
    before = len(json.dumps(key.detector.dump()))
    key.live(DAY_BUCKETS * 20)
    assert len(json.dumps(key.detector.dump())) < 1.5 * before


def test_a_long_silence_is_learnt_in_bounded_time(key: Key) -> None:
    key.detector.update(START + 10_000 * 86400, 0.0, 0)
    assert key.detector.expected < 0.05


def test_late_spend_counts_in_the_open_bucket(key: Key) -> None:
    twin = Detector()
    twin.load(key.detector.dump())
    now = START + key.now * BUCKET
    key.detector.update(now - 3000, 500.0, 1)
    twin.update(now + 1, 500.0, 1)
    assert key.detector.update(now + BUCKET, 0.0, 0) == twin.update(now + BUCKET, 0.0, 0)


def test_a_fall_counts_only_in_a_two_sided_measure() -> None:
    rng = random.Random(7)
    spend, metric = Detector(), Detector(two_sided=True)
    found: dict[str, list[Severity | None]] = {"spend": [], "metric": []}
    for bucket in range(1500):
        value = 100 * rng.lognormvariate(0, 0.05) if bucket < 1400 else 10.0
        for name, detector in (("spend", spend), ("metric", metric)):
            detector.update(START + bucket * BUCKET, value, 1)
            found[name].append(detector.update(START + (bucket + 1) * BUCKET, 0.0, 0))
    assert not any(found["spend"][1400:])
    assert any(found["metric"][1400:1405])


def test_severities_rise() -> None:
    assert SEVERITIES == ("low", "medium", "high")


@pytest.mark.parametrize("every", [3, 6, 18, 36, 144])
def test_a_key_of_few_calls_stays_quiet_until_one_is_larger(every: int) -> None:
    detector, rng = Detector(), random.Random(every)
    alerts = []
    for bucket in range(DAY_BUCKETS * 21):
        begin = START + bucket * BUCKET
        if bucket % every == 0:
            detector.update(begin + 1, 0.01 * rng.lognormvariate(0, 0.1), 1)
        alerts.append(detector.update(begin + BUCKET, 0.0, 0))
    assert not [alert for alert in alerts if alert in ("medium", "high")]
    at = START + DAY_BUCKETS * 21 * BUCKET
    detector.update(at + 1, 0.3, 30)
    assert detector.update(at + BUCKET, 0.0, 0) == "high"


def test_dearer_calls_are_news_in_an_incident_of_something_else() -> None:
    gate = IncidentGate(hold=3)
    assert gate.passes(3.9) == "high"
    assert gate.passes(2.5, 2.5) == "medium"
    assert gate.passes(3.2, 3.2) is None, "the same news, told once"
    for _ in range(4):
        gate.passes(3.0)
    assert gate.passes(3.0, 3.0) == "high"


def test_dearer_calls_that_begin_an_incident_are_told_once() -> None:
    gate = IncidentGate(hold=3)
    assert gate.passes(2.5, 2.5) == "medium"
    assert gate.passes(2.6, 2.6) is None


def test_after_outbreaks_it_takes_more_for_the_next_one() -> None:
    restless = Restless(BUCKET, hold=3)
    assert restless.tempered(10.0, level=7.0) == 10.0
    assert restless.tempered(10.0, level=7.0) == 10.0, "while it goes on nothing is held back"
    assert [restless.tempered(1.0, 7.0) for _ in range(3)] == [1.0] * 3
    assert restless.tempered(8.0, level=7.0) == pytest.approx(8.0 / 1.2, rel=0.01)


def test_a_restless_time_is_forgotten() -> None:
    restless = Restless(BUCKET, hold=3)
    restless.tempered(10.0, level=7.0)
    for _ in range(14 * DAY_BUCKETS):
        restless.tempered(0.0, level=7.0)
    assert restless.tempered(8.0, level=7.0) == pytest.approx(8.0, rel=0.01)


def test_a_dearer_model_is_seen_where_calls_are_few() -> None:
    rng, unit = random.Random(3), UnitPrice()
    usual = [unit.score(0.03 * rng.lognormvariate(0, 0.3), 3, 1 / (bucket + 2)) for bucket in range(500)]
    dearer = [unit.score(0.15 * rng.lognormvariate(0, 0.3), 3, 0.0) for _ in range(12)]
    assert max(usual[20:]) < UNIT_LEVELS[0]
    assert max(dearer) > UNIT_LEVELS[1]
    silent = UnitPrice()
    silent.load(unit.dump())
    for _ in range(DAY_BUCKETS):
        silent.score(0.0, 0, 0.0)
    assert silent.score(0.02, 2, 0.0) < 0.1, "what was long ago does not count"
