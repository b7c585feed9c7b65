"""Which ledger a program gets: the one its URL names, made steady, with leases where a budget wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from llmcost.control.budget import Budget
from llmcost.control.ledger import Counter, Ledger, open_ledger
from llmcost.control.ledger.leases import LeasedLedger
from llmcost.control.ledger.memory import MemoryLedger
from llmcost.control.ledger.steady import SteadyLedger


def ledger_for(
    url: str,
    budgets: Iterable[Budget] = (),
    folder: Path | None = None,
    clock: Callable[[], float] | None = None,
) -> Ledger:
    """The ledger of a program. Nothing is opened before the first use.

    Args:
        url: see :func:`~llmcost.control.ledger.opening.open_ledger`.
        budgets: those with ``lease = true`` are spent by slices.
        folder: where settlements wait while the ledger cannot be reached; None keeps them in memory.
        clock: Unix time in seconds, for tests.

    Raises:
        ConfigError: naming what is wrong with the URL.
        MissingExtra: the client of the back end is not installed.
    """
    ledger = open_ledger(url, clock)
    if isinstance(ledger, MemoryLedger):
        return ledger
    steady = SteadyLedger(ledger, folder)
    leased = frozenset(budget.name for budget in budgets if budget.lease)
    if not leased:
        return steady

    def may_lease(counter: Counter) -> bool:
        return counter.key.partition("|")[0] in leased

    return LeasedLedger(steady, may_lease)
