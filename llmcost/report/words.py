"""How names, money and counts are written for people."""

from __future__ import annotations

import math
import unicodedata
from typing import Final

from llmcost.calls import NANO
from llmcost.report.model import Row

NONE_GIVEN: Final = "(none)"
UNKNOWN: Final = "-"
TRUST_WORDS: Final = {
    "exact": "exact",
    "estimated": "estimated",
    "partial": "partial",
    "zero_listed": "listed at $0",
    "unpriced": "unpriced",
    "not_billed": "not billed",
    "counted_elsewhere": "counted elsewhere",
}
"""The classes of a report's trust, which sum to its calls, and how they are called."""
_FINEST: Final = 6
_CONTROL: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COUNTS: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def plain(name: str) -> str:
    """A name as one line of visible characters. Control, format and direction marks are written as escapes, so that
    a name can neither move the cursor, nor start a line, nor turn the text around."""
    if name.isprintable() and name:
        return name
    if not name:
        return NONE_GIVEN
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _CONTROL else c for c in name
    )


def period(since: str | None, until: str | None) -> str:
    """A range of ISO times, which may be open, as people write it: a day is named once, and so is a minute."""
    first, last = ((iso or "")[:16].replace("T", " ") for iso in (since, until))
    if first == last:
        return first
    if not first or not last:
        return f"since {first}" if first else f"until {last}"
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def decimals(nano: int | None) -> int:
    """Digits after the point that suit a column whose largest amount is this."""
    usd = abs(nano or 0) / NANO
    return 2 if usd >= 1 or not usd else 4 if usd >= 0.01 else 6


def money(nano: int | None, digits: int | None = None) -> str:
    """An amount in USD; ``-`` where it is not known, ``<$0.01`` where the digits do not show it."""
    if nano is None:
        return UNKNOWN
    places = decimals(nano) if digits is None else digits
    if nano == 0:
        return f"${0:.{places}f}"
    text = f"{abs(nano) / NANO:,.{places}f}"
    if not text.strip("0.,"):
        return f"<${10**-places:.{places}f}"
    return f"{'-' if nano < 0 else ''}${text}"


def total_of(row: Row) -> str:
    """The sum at the head of a report."""
    return "No calls" if not row.calls else "Cost unknown" if row.nano is None else money(row.nano)


def share_of(row: Row) -> str:
    """The share of a row."""
    return UNKNOWN if row.share is None else percent(row.share)


def tokens(*parts: int | None) -> str:
    """The sum of counts of tokens; ``-`` where one is not known."""
    known = [part for part in parts if part is not None]
    return count(sum(known)) if len(known) == len(parts) else UNKNOWN


def money_of(row: Row, digits: int) -> str:
    """The cost of a row, with a star where calls of unknown cost are not in it."""
    return money(row.nano, digits) + ("*" if row.unpriced and row.nano is not None else "")


def small_money(nano: int | None) -> str:
    """The cost of a single call: three significant digits below a dollar, as far as a millionth of it shows them."""
    if not nano or abs(nano) >= NANO:
        return money(nano, 2 if nano else 0)
    places = min(_FINEST, 2 - math.floor(math.log10(abs(nano) / NANO)))
    return money(nano, places)


def percent(share: float) -> str:
    """A share, 0 to 1, as a percentage; never 0 or 100 where that is not exact."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{100 * share:.1f}%" if share not in (0, 1) else f"{100 * share:.0f}%"


def count(number: int) -> str:
    """A count in full up to 99,999, then with three significant digits and a unit."""
    if number < 100_000:
        return f"{number:,}"
    for size, unit in _COUNTS:
        if number >= size:
            value = number / size
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}{unit}"
    return str(number)


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 call``, ``2 calls``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
