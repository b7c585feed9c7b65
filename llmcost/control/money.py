"""Money in ledgers: whole nano-dollars, so that sums are exact."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

NANO: Final = 1_000_000_000
"""Nano-dollars in a dollar."""

MAX_NANO: Final = 2**53 - 1
"""About 9,007,199 USD, the largest amount that every back end compares exactly (scripts in Redis count in doubles)."""

Usd = float | int | str | Decimal
"""An amount of US dollars as people write it."""


def nano_of_limit(usd: Usd) -> int:
    """A limit in nano-dollars, rounded down: a limit never grows by its conversion.

    Raises:
        ValueError: not a number, negative, or above :data:`MAX_NANO`.
    """
    nano = int((_decimal(usd) * NANO).to_integral_value(ROUND_FLOOR))
    if nano < 0:
        raise ValueError(f"{usd!r} is negative")
    if nano > MAX_NANO:
        raise ValueError(f"{usd!r} is more than {MAX_NANO // NANO:,} USD, the most that a ledger compares exactly")
    return nano


def nano_of_cost(usd: Usd) -> int:
    """What a call cost, in nano-dollars, rounded to the nearest."""
    return int((_decimal(usd) * NANO).to_integral_value(ROUND_HALF_UP))


def usd_of(nano: int) -> float:
    """Nano-dollars as dollars, for people and metrics."""
    return nano / NANO


def _decimal(usd: Usd) -> Decimal:
    if isinstance(usd, bool):
        raise ValueError(f"{usd!r} is not an amount of money")  # noqa: TRY004 - one kind of error for a wrong amount
    try:
        value = Decimal(str(usd))
    except InvalidOperation:
        raise ValueError(f"{usd!r} is not an amount of money") from None
    if not value.is_finite():
        raise ValueError(f"{usd!r} is not an amount of money")
    return value
