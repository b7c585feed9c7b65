"""What a program may ask its budgets: could a call be afforded, and how do they stand."""

from __future__ import annotations

from llmcost.control.money import Usd
from llmcost.control.status import Affordable, Standing
from llmcost.runtime import runtime


def can_afford(*, estimated_cost: Usd, user_id: str | None = None, **scope: str) -> Affordable:
    """Whether a call that costs about so much would pass the budgets, over all their windows. Reads only.

    Args:
        estimated_cost: USD.
        user_id: the value of the scope ``user``.
        scope: further scopes or context keys, such as ``label="summarization"`` or ``tenant="acme"``.

    Returns:
        ``(ok, action, message)``: the action is ``allow``, ``warn``, ``degrade`` or ``block``, and the message says why
        where it is not ``allow``. Where no budget is set, everything can be afforded.
    """
    controller = runtime.controller
    if controller is None:
        return Affordable(True, "allow", "")
    return controller.status.can_afford(_scopes(user_id, scope), estimated_cost)


def budget_status(*, user_id: str | None = None, **scope: str) -> list[Standing]:
    """How the budgets stand: those over all calls, and those of the values given. Empty where no budget is set.

    Args:
        user_id: the value of the scope ``user``; ``user=`` says the same.
        scope: further scopes or context keys.
    """
    controller = runtime.controller
    return [] if controller is None else controller.status.standings(_scopes(user_id, scope))


def _scopes(user_id: str | None, scope: dict[str, str]) -> dict[str, str]:
    return scope if user_id is None else {**scope, "user": user_id}
