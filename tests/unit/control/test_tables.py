"""Budgets from tables: what is right is read, what is wrong is named in one line."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from llmcost.control import Budget, Limits, Thresholds, budgets_of, check_all
from llmcost.control.money import nano_of_cost, nano_of_limit
from llmcost.errors import ConfigError

SAMPLE = """
[[budgets]]
name = "service"
monthly = 2000
mode = "warn"
timezone = "Europe/Berlin"
thresholds = { warn = 0.5 }

[[budgets]]
name = "users"
scope = "user"
daily = 5.00
rolling = { "1h" = 1 }
bound = "strict"
[budgets.overrides.u1]
daily = "50.000000001"
[budgets.fallbacks]
"gpt-5" = ["gpt-5-mini", "gpt-5-nano"]
"claude-opus-4-5" = "claude-haiku-4-5"

[[budgets]]
name = "runs"
scope = "run"
total = 0.5
max_calls = 200
max_depth = 6
max_repeats = 3
"""


class Map:
    """A price map of four models, one of which cannot use tools."""

    def known(self, model: str) -> bool:
        return model in {"gpt-5", "gpt-5-mini", "no-tools", "claude-haiku-4-5"}

    def unfit(self, model: str, fallback: str) -> str | None:
        if fallback.startswith("claude") != model.startswith("claude"):
            return "another provider"
        return "it has no tools" if fallback == "no-tools" else None


def rows(text: str) -> Any:
    return tomllib.loads(text)["budgets"]


def test_the_sample_is_read() -> None:
    service, users, runs = budgets_of(rows(SAMPLE))
    assert service == Budget(
        name="service", monthly=2000, mode="warn", timezone="Europe/Berlin", thresholds=Thresholds(warn=0.5)
    )
    assert users.fallbacks == {
        "gpt-5": ("gpt-5-mini", "gpt-5-nano"),
        "claude-opus-4-5": ("claude-haiku-4-5",),
    }
    assert users.overrides == {"u1": Limits(daily="50.000000001")}
    assert (users.failure_rule, users.unpriced_rule) == ("block", "block")
    assert (service.failure_rule, service.unpriced_rule) == ("allow", "warn")
    assert (runs.max_calls, runs.max_depth, runs.max_repeats) == (200, 6, 3)


def test_an_override_changes_what_it_names() -> None:
    budget = Budget(name="b", scope="user", daily=5, monthly=60, rolling={"1h": 1}, overrides={"u1": Limits(daily=0)})
    assert budget.limits_of("u1").amounts() == {"daily": 0, "monthly": 60}
    assert budget.limits_of("u1").rolling == {"1h": 1}
    assert budget.limits_of("u2").amounts() == {"daily": 5, "monthly": 60}


BASE = {"name": "b", "daily": 5}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**BASE, "dayly": 5}, "budget 'b': dayly: unknown key; did you mean daily?"),
        ({**BASE, "zzz": 5}, "budget 'b': zzz: unknown key; known are"),
        ({"daily": 5}, "budgets[0]: name: a budget needs a name"),
        ({"name": "b"}, "budget 'b': it limits nothing"),
        ("b", "budgets[0]: expected a table"),
        ({**BASE, "daily": -1}, "budget 'b': daily: -1 is negative"),
        ({**BASE, "daily": "five"}, "budget 'b': daily: 'five' is not an amount of money"),
        ({**BASE, "daily": True}, "budget 'b': daily: True is not an amount of money"),
        ({**BASE, "daily": float("nan")}, "budget 'b': daily: nan is not an amount of money"),
        ({**BASE, "daily": 10**8}, "budget 'b': daily: 100000000 is more than 9,007,199 USD"),
        ({**BASE, "mode": "stop"}, "budget 'b': mode: 'stop' is none of observe, warn, degrade, block"),
        ({**BASE, "bound": "loose"}, "budget 'b': bound: 'loose' is none of"),
        ({**BASE, "on_failure": "retry"}, "budget 'b': on_failure: 'retry' is none of"),
        ({**BASE, "unpriced": "deny"}, "budget 'b': unpriced: 'deny' is none of"),
        ({**BASE, "lease": "yes"}, "budget 'b': lease: expected true or false"),
        ({**BASE, "scope": "a|b"}, "budget 'b': scope: 'a|b' is no name"),
        ({**BASE, "timezone": "Berlin"}, "budget 'b': timezone: 'Berlin' is no time zone"),
        ({**BASE, "timezone": "/etc/passwd"}, "budget 'b': timezone: '/etc/passwd' is no time zone"),
        ({**BASE, "thresholds": {"warn": 80.0}}, "budget 'b': thresholds.warn: 80.0 is not between 0 and 1; write 0.8"),
        ({**BASE, "thresholds": {"warm": 0.8}}, "budget 'b': thresholds: warm: unknown key; did you mean warn?"),
        ({**BASE, "thresholds": {"warn": 0.95}}, "budget 'b': thresholds: warn, degrade and block must not fall"),
        ({**BASE, "rolling": {"1 day": 5}}, "budget 'b': rolling: '1 day' is no length of time"),
        ({**BASE, "rolling": 5}, "budget 'b': rolling: expected a table"),
        ({**BASE, "max_calls": 1.5}, "budget 'b': max_calls: 1.5 is not a whole number"),
        ({**BASE, "overrides": {"u1": {"daily": 1}}}, "budget 'b': overrides: scope 'global' has no values"),
        ({**BASE, "scope": "user", "overrides": {"u1": {"dail": 1}}}, "budget 'b': overrides.u1: dail: unknown key"),
        ({**BASE, "scope": "user", "overrides": {"u1": {"daily": "x"}}}, "budget 'b': overrides.u1: daily: 'x'"),
        ({**BASE, "fallbacks": {"gpt-5": 3}}, "budget 'b': fallbacks.gpt-5: expected a model or a list"),
        ({**BASE, "fallbacks": {"gpt-5": ["gpt-5"]}}, "budget 'b': fallbacks.gpt-5: a model cannot take its own place"),
        ({**BASE, "fallbacks": {"gpt-5": ["gpt-6"]}}, "budget 'b': fallbacks: no price is known for model 'gpt-6'"),
        (
            {**BASE, "fallbacks": {"gpt-5": ["no-tools"]}},
            "budget 'b': fallbacks: 'no-tools' cannot take the place of 'gpt-5': it has no tools",
        ),
        (
            {**BASE, "fallbacks": {"gpt-5": ["claude-haiku-4-5"]}},
            "budget 'b': fallbacks: 'claude-haiku-4-5' cannot take the place of 'gpt-5': another provider",
        ),
        (
            {"name": "b", "scope": "model", "overrides": {"gpt-6": {"daily": 1}}},
            "budget 'b': overrides: no price is known for model 'gpt-6'",
        ),
    ],
)
def test_a_fault_is_one_line_that_names_it(row: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        budgets_of([row], Map())
    text = str(caught.value)
    assert text.startswith(message)
    assert "\n" not in text


def test_names_are_given_once() -> None:
    with pytest.raises(ConfigError, match="two budgets have this name"):
        budgets_of([BASE, BASE])
    with pytest.raises(ConfigError, match="two budgets have this name"):
        check_all([Budget(name="b", daily=1), Budget(name="b", daily=2)])


def test_what_is_no_list_is_named() -> None:
    with pytest.raises(ConfigError, match="budgets: expected a list of tables"):
        budgets_of({"name": "b"})


def test_money_is_exact() -> None:
    assert nano_of_limit(0.1) + nano_of_limit(0.2) == nano_of_limit(0.3)
    assert nano_of_limit("0.0000000019") == 1
    assert nano_of_cost("0.0000000019") == 2
    assert nano_of_cost(0.00332) == 3_320_000
