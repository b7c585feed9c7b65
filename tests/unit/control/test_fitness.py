"""Fallbacks against the shipped price map."""

from __future__ import annotations

import pytest

from llmcost.control import budgets_of
from llmcost.control.fitness import MapModels
from llmcost.errors import ConfigError
from llmcost.pricing import PriceBook


@pytest.fixture(scope="module")
def models() -> MapModels:
    return MapModels(PriceBook())


@pytest.mark.parametrize(
    ("model", "fallback", "reason"),
    [
        ("gpt-5", "gpt-5-mini", None),
        ("gpt-4o", "gpt-4o-mini", None),
        ("gpt-5", "claude-haiku-4-5", "it is of another provider"),
        ("gpt-4o", "text-embedding-3-small", "it is for embedding, not for chat"),
        ("gpt-5", "gpt-4o-mini", "its context is smaller"),
        ("gpt-4o", "gpt-3.5-turbo", "it reads no images"),
    ],
)
def test_what_the_map_says_decides(models: MapModels, model: str, fallback: str, reason: str | None) -> None:
    said = models.unfit(model, fallback)
    assert said == reason if reason is None else said is not None and said.startswith(reason), said


def test_an_impossible_fallback_is_named_at_load(models: MapModels) -> None:
    row = {"name": "b", "daily": 1, "fallbacks": {"gpt-5": ["no-such-model"]}}
    with pytest.raises(ConfigError, match="budget 'b': fallbacks: no price is known for model 'no-such-model'"):
        budgets_of([row], models)
    row["fallbacks"] = {"gpt-5": ["gpt-5-mini", "claude-haiku-4-5"]}
    with pytest.raises(ConfigError, match="'claude-haiku-4-5' cannot take the place of 'gpt-5': it is of another"):
        budgets_of([row], models)
