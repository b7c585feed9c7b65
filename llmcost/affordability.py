"""What a program may ask its budgets: could a call be afforded, and how do they stand."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING

from llmcost import config
from llmcost.control.money import Usd
from llmcost.control.status import Affordable, Standing
from llmcost.control.values import SPELLINGS
from llmcost.exchange.engine import active
from llmcost.runtime import price_book, runtime

if TYPE_CHECKING:
    from llmcost.control import Controller


def can_afford(*, estimated_cost: Usd, user_id: str | None = None, **scope: object) -> Affordable:
    """Whether a call that costs about so much would pass the budgets, over all their windows. Reads only.

    Who asks is taken from :class:`llmcost.context` and the code around, where this process is observed; what is given
    here wins. Budgets are asked before each call anyway: this is for programs that want to know before they begin. It
    waits for the ledger at most 20 ms, over a network 50 ms.

    Args:
        estimated_cost: USD.
        user_id: the value of the scope ``user``.
        scope: further scopes or context keys, such as ``label="summarization"`` or ``tenant="acme"``.

    Returns:
        ``(ok, action, message)``: the action is ``allow``, ``warn``, ``degrade`` or ``block``, and the message says why
        where it is not ``allow``. Where no budget is set, everything can be afforded.
    """
    controller = _controller()
    if controller is None:
        return Affordable(True, "allow", "")
    values = {**_asker(sys._getframe(1)), **_scopes(user_id, scope)}
    return controller.status.can_afford(values, estimated_cost)


def budget_status(*, user_id: str | None = None, **scope: object) -> list[Standing]:
    """How the budgets stand: those over all calls, those of the values given, and every value that a budget names in
    its overrides. Empty where no budget is set.

    Args:
        user_id: the value of the scope ``user``; ``user=`` says the same.
        scope: further scopes or context keys.

    Returns:
        One row for each window; where the ledger cannot be read, ``verified`` is false and the numbers mean nothing.
    """
    controller = _controller()
    return [] if controller is None else controller.status.standings(_scopes(user_id, scope))


def _scopes(user_id: str | None, scope: Mapping[str, object]) -> dict[str, str]:
    given = scope if user_id is None else {**scope, "user": user_id}
    return {SPELLINGS.get(name, name): str(value) for name, value in given.items() if value is not None}


def _asker(frame: FrameType) -> Mapping[str, str]:
    engine = active.engine
    return {} if engine is None or engine.gate is None else engine.gate.asker(engine.attribute(frame))


def _controller() -> Controller | None:
    return runtime.controller if runtime.started else _of_settings()


@functools.cache
def _of_settings() -> Controller | None:
    """The budgets of the settings, for a process that observes nothing."""
    settings = config.load()
    if not settings.budgets:
        return None
    from llmcost.budgeting import controller_of, folder_of  # with SQLite: only where there are budgets

    return controller_of(settings, price_book(settings), folder_of(settings))
