"""Calls that are told by hand. Where a hook sees the same call inside the block, one of the two holds money: the
hook's, which knows more."""

from __future__ import annotations

from typing import Final

from opentelemetry.context import create_key, get_current

OPEN: Final = create_key("llmcost.logged_call")
"""Where the context of a block has the call that is told in it."""


class ToldByHand:
    """What stands under :data:`OPEN`."""

    def give_way(self) -> None:
        """A hook is about to put the same call before the budgets."""
        raise NotImplementedError


def give_way() -> None:
    """Let the call give way in whose block this code runs, if it runs in one."""
    told = get_current().get(OPEN)
    if isinstance(told, ToldByHand):
        told.give_way()
