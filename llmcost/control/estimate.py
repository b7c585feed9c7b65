"""What a call of a label costs in 99 of 100 cases: the amount that a fair budget holds."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from llmcost.control.ledger.forks import rebuild_in_child

ENOUGH: Final = 20
"""Calls that a label needs before its own history counts."""

ONE_IN: Final = 100
"""One call in so many may cost more than what is held."""

_BITS: Final = 7
"""Costs whose first so many binary digits are the same, rounded up, are of one class: 1.6 % wide at most."""

_MOST_LABELS: Final = 2_000
_HALVE_AT: Final = 4_096
_LOOK_AGAIN: Final = 32
"""Calls after which the quantile is found anew; a dearer call does so at once."""


class _History:
    """Counts of costs by class. Old calls fade: at 4,096 calls all counts are halved.

    A cost is only put down in the path of a call; it is sorted in when the quantile is found anew.
    """

    __slots__ = ("_classes", "_new", "count", "quantile")

    def __init__(self) -> None:
        self._classes: dict[int, int] = {}
        self._new: deque[int] = deque()
        self.count = 0
        """Calls so far, those that are not sorted in yet left out."""
        self.quantile = 0
        """The upper edge of the class that holds the quantile; never less than the cost it stands for."""

    def add(self, nano: int) -> bool:
        """Put a cost down; whether it is time to find the quantile anew."""
        new = self._new
        new.append(nano)
        return nano > self.quantile or len(new) >= _LOOK_AGAIN or self.count < ENOUGH

    def look(self) -> None:
        """Find the quantile anew; in one thread at a time."""
        new, classes = self._new, self._classes
        for _ in range(len(new)):
            edge = _upper_edge(new.popleft())
            classes[edge] = classes.get(edge, 0) + 1
            self.count += 1
        if self.count >= _HALVE_AT:
            self._classes = {edge: count // 2 for edge, count in classes.items() if count > 1}
            self.count = sum(self._classes.values())
        self.quantile = self._found()

    def _found(self) -> int:
        left = -(-self.count // ONE_IN)
        for edge in sorted(self._classes, reverse=True):
            left -= self._classes[edge]
            if left <= 0:
                return edge
        return 0


def _upper_edge(nano: int) -> int:
    """The most that costs of the same class cost."""
    if nano <= 0:
        return 0
    shift = nano.bit_length() - _BITS
    return nano if shift <= 0 else -(-nano >> shift) << shift


class Estimator:
    """Learns from settled calls; O(1) memory a label and model, and a bounded number of those."""

    def __init__(self) -> None:
        self._histories: dict[tuple[str, str], _History] = {}
        self._lock = threading.Lock()
        rebuild_in_child(self)

    def after_in_child(self) -> None:
        """What was learnt holds in a child as well."""
        self._lock = threading.Lock()

    def add(self, label: str, model: str, nano: int) -> None:
        """Take note of what a call cost."""
        history = self._histories.get((label, model))
        if history is None:
            history = self._begun(label, model)
        if history.add(nano):
            with self._lock:
                history.look()

    def guess(self, label: str, model: str, otherwise: int) -> int:
        """The 99 % quantile of the label's calls to the model, or ``otherwise`` where there are too few."""
        history = self._histories.get((label, model))
        return otherwise if history is None or history.count < ENOUGH else history.quantile

    def _begun(self, label: str, model: str) -> _History:
        with self._lock:
            if len(self._histories) >= _MOST_LABELS:
                self._histories.pop(next(iter(self._histories)))
            return self._histories.setdefault((label, model), _History())
