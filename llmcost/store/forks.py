"""One hook for all that must begin anew in a forked child."""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol


class Renewable(Protocol):
    """Something with locks, files or threads that a child must not share with its parent."""

    def after_fork(self) -> None:
        """Begin anew; runs in the child, before any code of the program."""


_renewable: Final[weakref.WeakSet[Renewable]] = weakref.WeakSet()


def renew_in_child(thing: Renewable) -> None:
    """Have ``thing.after_fork()`` called in every child, for as long as the thing lives."""
    _renewable.add(thing)


def _renew() -> None:
    for thing in list(_renewable):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
