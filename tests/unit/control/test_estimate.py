"""The amount that fair budgets hold."""

from __future__ import annotations

import random

from llmcost.control.estimate import ENOUGH, Estimator


def test_a_label_needs_a_history() -> None:
    estimator = Estimator()
    for _ in range(ENOUGH - 1):
        estimator.add("l", "m", 1_000)
    assert estimator.guess("l", "m", 5) == 5
    estimator.add("l", "m", 1_000)
    assert 1_000 <= estimator.guess("l", "m", 5) <= 1_020
    assert estimator.guess("l", "other", 5) == 5


def test_ninety_nine_of_a_hundred_calls_cost_no_more() -> None:
    chance = random.Random(3)
    costs = [int(chance.lognormvariate(15, 1.5)) for _ in range(3_000)]
    estimator = Estimator()
    for cost in costs:
        estimator.add("l", "m", cost)
    guess = estimator.guess("l", "m", 0)
    exact = sorted(costs)[int(len(costs) * 0.99)]
    assert exact * 0.97 <= guess <= exact * 1.06


def test_old_calls_fade() -> None:
    estimator = Estimator()
    for _ in range(5_000):
        estimator.add("l", "m", 10**9)
    for _ in range(60_000):
        estimator.add("l", "m", 1_000)
    assert estimator.guess("l", "m", 0) <= 1_020


def test_free_calls_count_and_memory_is_bounded() -> None:
    estimator = Estimator()
    for number in range(3_000):
        estimator.add(f"l{number}", "m", number)
    assert len(estimator._histories) == 2_000
    for _ in range(50):
        estimator.add("free", "m", 0)
    assert estimator.guess("free", "m", 7) == 0
