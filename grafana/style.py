"""One look for all dashboards: units, colours and thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

USD: Final = "currencyUSD"
SHARE: Final = "percentunit"
COUNT: Final = "short"
SECONDS: Final = "s"
A_MINUTE: Final = "cpm"

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"


@dataclass(frozen=True, slots=True)
class Steps:
    """Colours from a value on. ``base`` is the colour below the first step."""

    base: str
    steps: tuple[tuple[float, str], ...] = ()


PLAIN: Final = Steps(BLUE)
"""A number that is neither good nor bad by itself."""
BUDGET: Final = Steps(GREEN, ((0.8, YELLOW), (0.9, ORANGE), (1.0, RED)))
"""The default thresholds of a budget: warn, degrade, block."""
CHANCE: Final = Steps(GREEN, ((0.2, YELLOW), (0.5, ORANGE), (0.8, RED)))
"""The chance that something bad happens."""
ERRORS: Final = Steps(GREEN, ((0.01, YELLOW), (0.05, RED)))
"""A share of calls that failed, or of which something is not known."""
UNKNOWN: Final = Steps(GREEN, ((0.05, YELLOW), (0.2, RED)))
"""A share of calls whose cost or section is uncertain."""
ANY: Final = Steps(GREEN, ((1, RED),))
"""Something that must not happen at all."""
FEW: Final = Steps(GREEN, ((1, YELLOW), (10, RED)))
"""Something that should not happen."""
LATENCY: Final = Steps(GREEN, ((10, YELLOW), (30, RED)))
"""Seconds until a call has ended."""
OVERHEAD: Final = Steps(GREEN, ((0.001, YELLOW), (0.01, RED)))
"""Seconds for which llmcost holds a call up."""
BURDEN: Final = Steps(GREEN, ((0.01, YELLOW), (0.05, RED)))
"""The share of a call's time that is llmcost's."""
LEFT: Final = Steps(RED, ((86_400, ORANGE), (3 * 86_400, YELLOW), (7 * 86_400, GREEN)))
"""Seconds until a budget is used up."""
HEAT: Final = Steps(GREEN)
"""Coloured by a scale from low to high."""
