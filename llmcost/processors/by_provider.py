"""What is made once for each meter provider."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from opentelemetry import metrics

Made = TypeVar("Made")


class ByProvider(Generic[Made]):
    """Makes one thing for each meter provider, as long as that lives.

    Providers are told apart by identity: some compare by value and have no hash, such as Logfire's.

    Args:
        make: makes the thing for a provider.
    """

    def __init__(self, make: Callable[[metrics.MeterProvider], Made]) -> None:
        self._make = make
        self._made: dict[int, tuple[weakref.ref[metrics.MeterProvider], Made]] = {}

    def of(self, provider: metrics.MeterProvider) -> Made:
        """What was made for the provider."""
        key = id(provider)
        found = self._made.get(key)
        if found is None:
            gone = weakref.ref(provider, lambda _: self._made.pop(key, None))
            found = self._made.setdefault(key, (gone, self._make(provider)))
        return found[1]

    def all(self) -> list[Made]:
        """Whatever was made and is in use."""
        return [made for _, made in list(self._made.values())]
