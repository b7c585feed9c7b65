"""One thing for each provider, whether or not that has a hash, and no longer than it lives."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from opentelemetry.metrics import NoOpMeterProvider

from llmcost.processors.by_provider import ByProvider


@dataclass
class Unhashable(NoOpMeterProvider):
    """Compares by value, as Logfire's provider does."""

    name: str = ""


def test_equal_providers_without_a_hash_are_told_apart() -> None:
    first, second = Unhashable("same"), Unhashable("same")
    made: ByProvider[list[object]] = ByProvider(lambda _: [])
    assert made.of(first) is made.of(first)
    assert made.of(first) is not made.of(second)


def test_what_was_made_goes_with_its_provider() -> None:
    made: ByProvider[list[object]] = ByProvider(lambda _: [])
    provider = Unhashable()
    made.of(provider)
    assert len(made.all()) == 1
    del provider
    gc.collect()
    assert made.all() == []
