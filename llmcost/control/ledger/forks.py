"""Forks: a child must not use its parent's locks and connections."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class _Forkable(Protocol):
    def after_in_child(self) -> None:
        """Make locks anew; let connections go without closing them."""


_members: WeakSet[_Forkable] = WeakSet()


def rebuild_in_child(member: _Forkable) -> None:
    """Have ``member.after_in_child`` called in each forked child for as long as the object lives."""
    _members.add(member)


def _after_in_child() -> None:
    for member in list(_members):
        member.after_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
