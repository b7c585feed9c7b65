"""Forks: a child must not use its parent's locks and connections."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class _Forkable(Protocol):
    def after_in_child(self) -> None:
        """Make locks anew; let connections go without closing them."""


class _Sharing(_Forkable, Protocol):
    def before_fork(self) -> None:
        """Take note of what parent and child will both know."""


_members: WeakSet[_Forkable] = WeakSet()
_sharing: WeakSet[_Sharing] = WeakSet()


def rebuild_in_child(member: _Forkable) -> None:
    """Have ``member.after_in_child`` called in each forked child for as long as the object lives."""
    _members.add(member)


def told_before_fork(member: _Sharing) -> None:
    """As :func:`rebuild_in_child`, and have ``member.before_fork`` called in the parent before it."""
    _sharing.add(member)
    rebuild_in_child(member)


def _before() -> None:
    for member in list(_sharing):
        member.before_fork()


def _after_in_child() -> None:
    for member in list(_members):
        member.after_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_after_in_child)
