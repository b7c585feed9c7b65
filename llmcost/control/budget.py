"""A budget: for whom, how much, over which time, and what happens when it runs low."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from llmcost.control.money import Usd
from llmcost.control.windows import WINDOWS

Mode = Literal["observe", "warn", "degrade", "block"]
Bound = Literal["fair", "strict"]
OnFailure = Literal["allow", "block"]
Unpriced = Literal["allow", "warn", "block"]

MODES: Final[tuple[Mode, ...]] = ("observe", "warn", "degrade", "block")
BOUNDS: Final[tuple[Bound, ...]] = ("fair", "strict")
ON_FAILURE: Final[tuple[OnFailure, ...]] = ("allow", "block")
UNPRICED: Final[tuple[Unpriced, ...]] = ("allow", "warn", "block")

SCOPES: Final = (
    "global",
    "user",
    "label",
    "model",
    "provider",
    "session",
    "conversation",
    "workflow",
    "agent",
    "call_type",
    "run",
    "trace",
)
"""Scopes that a call answers by itself. Any other scope is a key of ``llmcost.context(...)``: tenant, task, company."""

SHORT_SCOPES: Final = frozenset({"run", "trace", "session", "conversation"})
"""Scopes whose values come and go: their totals are forgotten :data:`SHORT_LIFE_S` after their last use."""

SHORT_LIFE_S: Final = 30 * 86_400

LIMITS: Final = tuple(WINDOWS)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Shares of a limit, between 0 and 1: from where to warn, to take a smaller model, and to refuse."""

    warn: float = 0.8
    degrade: float = 0.9
    block: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be spent, in US dollars. None means no limit, 0 means nothing.

    Attributes:
        hourly, daily, weekly, monthly, total: a limit of the window of that name.
        rolling: length (``"90m"``, ``"24h"``, ``"30d"``) to limit.
        max_calls: number of calls in the scope's lifetime (for runs, traces, sessions), else in each day.
        max_depth: depth of nested sections and agents.
        max_repeats: how often one prompt may be sent, by its hash.
    """

    hourly: Usd | None = None
    daily: Usd | None = None
    weekly: Usd | None = None
    monthly: Usd | None = None
    total: Usd | None = None
    rolling: Mapping[str, Usd] = field(default_factory=dict)
    max_calls: int | None = None
    max_depth: int | None = None
    max_repeats: int | None = None

    def amounts(self) -> dict[str, Usd]:
        """The limits in money by the name of their window."""
        named = {name: getattr(self, name) for name in LIMITS}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Limits):
    """See the reference of ``[[tool.llmcost.budgets]]``; the fields are its keys. Checked by
    :func:`~llmcost.control.tables.check`.

    Attributes:
        name: stands in spans, metrics, messages and headers.
        scope: one of :data:`SCOPES` or a context key; each value has the limits for itself.
        overrides: other limits for single values; what an override leaves out stays as in the budget.
        timezone: IANA name of the zone whose clock rolls the windows.
        thresholds: shares of each limit.
        mode: the most severe answer this budget gives.
        bound: ``fair`` holds what such calls cost in 99 of 100 cases, ``strict`` what this call can cost at most.
        on_failure: what a ledger or callback that fails means; ``block`` for strict budgets, else ``allow``.
        unpriced: what a call without a known price means; ``block`` for strict budgets, else ``warn``.
        fallbacks: model to the smaller models that may take its place, best first.
        lease: a process takes slices of this budget and spends them from memory.
    """

    name: str
    scope: str = "global"
    overrides: Mapping[str, Limits] = field(default_factory=dict)
    timezone: str = "UTC"
    thresholds: Thresholds = Thresholds()
    mode: Mode = "block"
    bound: Bound = "fair"
    on_failure: OnFailure | None = None
    unpriced: Unpriced | None = None
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lease: bool = False

    @property
    def failure_rule(self) -> OnFailure:
        """``on_failure``, or what the bound implies."""
        return self.on_failure or ("block" if self.bound == "strict" else "allow")

    @property
    def unpriced_rule(self) -> Unpriced:
        """``unpriced``, or what the bound implies."""
        return self.unpriced or ("block" if self.bound == "strict" else "warn")

    def limits_of(self, value: str) -> Limits:
        """The limits for one value of the scope: the budget's own, under those of the value's override."""
        override = self.overrides.get(value)
        if override is None:
            return self
        names = (*LIMITS, "max_calls", "max_depth", "max_repeats")
        given = {name: getattr(override, name) for name in names if getattr(override, name) is not None}
        own = {name: getattr(self, name) for name in names}
        return Limits(**(own | given), rolling={**self.rolling, **override.rolling})


def plain(usd: Usd) -> str:
    """An amount of dollars for messages: at least two decimals, no exponent, no noise."""
    value = Decimal(str(usd)).normalize()
    exponent = value.as_tuple().exponent
    return f"${value:,.2f}" if isinstance(exponent, int) and exponent >= -2 else f"${value:,f}"
