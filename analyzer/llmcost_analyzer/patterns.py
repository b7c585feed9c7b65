"""Regular expressions of the tables, compiled when they are first needed: a scan after a change needs few of them."""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of a table. Kept for good, where :mod:`re` forgets the oldest of 512."""
    return re.compile(pattern)
