"""Limits that people set while programs run: how they are named, and written to the ledger."""

from __future__ import annotations

from llmcost.control.budget import LIMITS, Budget
from llmcost.control.ledger import Ledger
from llmcost.control.money import Usd, nano_of_limit
from llmcost.control.plan import ANY, CALLS, ROLLING, key_of
from llmcost.control.windows import seconds_of
from llmcost.errors import ConfigError


def change_limit(ledger: Ledger, budget: Budget, value: str | None, window: str, amount: Usd | None) -> str:
    """Set a limit for all processes until it is taken back.

    Args:
        ledger: where the budget is counted.
        budget: the budget.
        value: of its scope; None for all values that have no limit of their own.
        window: ``hourly`` ... ``total``, the length of a rolling window, or ``calls``; also one that the budget has no
            limit for yet.
        amount: US dollars, or a number of calls; None takes back what was set.

    Returns:
        The kind of the window, as :class:`~llmcost.control.status.Standing` names it.

    Raises:
        ConfigError: naming what is wrong.
        LedgerFailure: the ledger cannot be written.
    """
    kind = kind_of(window)
    whose = "" if budget.scope == "global" else ANY if value is None else value
    ledger.set_limit(key_of(budget, whose, kind), None if amount is None else _whole(kind, amount))
    return kind


def kind_of(window: str) -> str:
    """The kind of window that people name so.

    Raises:
        ConfigError: there is none.
    """
    if window in (*LIMITS, CALLS):
        return window
    length = window.removeprefix(ROLLING)
    try:
        seconds_of(length)
    except ValueError:
        raise ConfigError(f"window: {window!r} is none of {', '.join((*LIMITS, CALLS))}, nor a length as 24h") from None
    return f"{ROLLING}{length}"


def _whole(kind: str, amount: Usd) -> int:
    try:
        if kind != CALLS:
            return nano_of_limit(amount)
        calls = int(amount)
        if calls < 0 or calls != float(amount):
            raise ValueError(f"{amount!r} is not a whole number of 0 or more")
    except ValueError as exc:
        raise ConfigError(f"limit: {exc}") from None
    return calls
