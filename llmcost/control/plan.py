"""Budget x window x value: which counters a call touches, and what their limits are. Plans are cached for as long as
none of their windows turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from llmcost.control.budget import SHORT_LIFE_S, SHORT_SCOPES, Budget, Limits
from llmcost.control.ledger import Counter, Option
from llmcost.control.money import nano_of_limit
from llmcost.control.windows import FOREVER, WINDOWS, Window, rolling, seconds_of
from llmcost.records import make_tuple

GRACE_S: Final = 86_400
"""How long a counter outlives its window, for calls that settle late."""

CALLS: Final = "calls"
ROLLING: Final = "rolling "
"""Kinds of lines beside :data:`~llmcost.control.windows.WINDOWS`; a length follows the second."""

_MOST_PLANS: Final = 20_000
_MOST_INSTANTS: Final = 1_024
_MOST_AMOUNTS: Final = 1_024
_GLOBAL: Final = ""
ANY: Final = "*"
"""Stands for every value of a scope that the settings name no limits for."""


@dataclass(frozen=True, slots=True)
class Line:
    """One limit of one budget for one value, as the policy sees it. Amounts are nano-dollars.

    Attributes:
        budget: whose limit it is.
        value: the value of the scope; empty for a global budget.
        kind: ``daily``, ``rolling 24h``, ``calls`` ...
        counter: where the ledger counts it.
        window: the stretch of time it counts now.
        limit: the whole limit, or None where only calls are limited.
        warn, degrade, block: the limit times the thresholds.
        length: of a rolling window, in seconds.
        calls: the limit of calls, where the line is about them.
        changed: whether the limit was set while programs run.
    """

    budget: Budget
    value: str
    kind: str
    counter: Counter
    window: Window
    limit: int | None = None
    warn: int = 0
    degrade: int = 0
    block: int = 0
    length: int = 0
    calls: int | None = None
    changed: bool = False

    def resets_at(self, now: float) -> float | None:
        """When the window turns; a rolling one lets go bit by bit, at its length from now at the latest."""
        if self.length:
            return now + self.length
        return None if self.window.end == FOREVER else float(self.window.end)


@dataclass(frozen=True, slots=True)
class Plan:
    """All lines that a call touches, valid in ``[since, until)``.

    Attributes:
        lines: one for each counter, in order.
        counters: with the hard limits of budgets that block.
        ceilings: of each line, from where it warns and what it blocks.
        plain: whether there are lines, and all are about money that is held fairly, as in most plans.
        strict: whether a budget holds what a call can cost at most.
        max_depth: the budgets that limit depth, with their limit and value.
        repeats: the budgets that limit repeated prompts, with their limit and value.
    """

    since: float
    until: float
    lines: tuple[Line, ...]
    counters: tuple[Counter, ...]
    ceilings: tuple[tuple[int, int], ...] = ()
    plain: bool = False
    strict: bool = False
    max_depth: tuple[tuple[Budget, str, int], ...] = ()
    repeats: tuple[tuple[Budget, str, int], ...] = ()
    variants: dict[frozenset[str], tuple[Counter, ...]] = field(default_factory=dict, compare=False)

    def holding(self, amount: int) -> tuple[Option]:
        """The only option of a call that holds the same amount in all counters."""
        return (make_tuple(Option, (self.counters, _even(amount, len(self.counters)))),)


class Planner:
    """Finds the plan of a call.

    Args:
        budgets: checked budgets.
    """

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = tuple(budgets)
        self._zones = {budget.name: ZoneInfo(budget.timezone) for budget in budgets}
        self._scopes = tuple(dict.fromkeys(budget.scope for budget in budgets if budget.scope != "global"))
        self._by_model = "model" in self._scopes
        self._sole = self._scopes[0] if len(self._scopes) == 1 else None
        self._windows: dict[tuple[str, str], Window] = {}
        self._plans: dict[tuple[str | None, ...] | str | None, Plan] = {}
        self._set: dict[str, dict[str, int]] = {}
        self._instants: dict[int, int] = {}

    def use(self, limits: Mapping[str, int]) -> None:
        """Let limits that were set while the program runs (by :func:`key_of`) take the place of those in the settings,
        or come on top. Under the value :data:`ANY` one stands for all values that the settings do not name."""
        found: dict[str, dict[str, int]] = {}
        for key, amount in limits.items():
            whose, _, kind = key.rpartition("|")
            if kind in WINDOWS or kind == CALLS or kind.startswith(ROLLING):
                found.setdefault(whose, {})[kind] = amount
        if found != self._set:
            self._set, self._plans = found, {}

    def plan(self, values: Mapping[str, str], at: float, model: str | None = None) -> Plan:
        """The plan for a call that starts at ``at``. ``model``, where given, answers the scope of that name."""
        if model and self._by_model:
            values = {**values, "model": model}
        key = tuple(map(values.get, self._scopes)) if self._sole is None else values.get(self._sole)
        plan = self._plans.get(key)
        if plan is None or not plan.since <= at < plan.until:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._made({scope: values.get(scope) for scope in self._scopes}, at)
        return plan

    def degrading(self, plan: Plan, budgets: frozenset[str]) -> tuple[Counter, ...]:
        """The plan's counters, those of the named budgets open only below their threshold of degrading."""
        counters = plan.variants.get(budgets)
        if counters is None:
            counters = plan.variants[budgets] = tuple([_below(line, budgets) for line in plan.lines])
        return counters

    def _made(self, values: Mapping[str, str | None], at: float) -> Plan:
        lines: list[Line] = []
        depths: list[tuple[Budget, str, int]] = []
        repeats: list[tuple[Budget, str, int]] = []
        for budget in self._budgets:
            value = _GLOBAL if budget.scope == "global" else values[budget.scope]
            if value is None:
                continue
            limits = budget.limits_of(value)
            lines.extend(self._lines(budget, value, limits, at))
            if limits.max_depth is not None:
                depths.append((budget, value, limits.max_depth))
            if limits.max_repeats is not None:
                repeats.append((budget, value, limits.max_repeats))
        ends = [line.window.end for line in lines if line.window.end != FOREVER]
        # Short-lived totals move their own end a day at a time, and a step back of the clock finds the window it needs.
        until = self._shared(min([*ends, int(at // GRACE_S + 1) * GRACE_S]))
        since = self._shared(max([0, *(line.window.start for line in lines)]))
        counters = tuple(line.counter for line in lines)
        strict = any(line.budget.bound == "strict" for line in lines)
        plain = bool(lines) and not (strict or depths or repeats) and all(line.limit is not None for line in lines)
        ceilings = tuple((line.warn, line.block) for line in lines)
        return Plan(since, until, tuple(lines), counters, ceilings, plain, strict, tuple(depths), tuple(repeats))

    def _shared(self, instant: int) -> int:
        """The same number in the same object: each call reads it, and one object stays near the processor."""
        if len(self._instants) >= _MOST_INSTANTS:
            self._instants.clear()
        return self._instants.setdefault(instant, instant)

    def _window(self, kind: str, zone: ZoneInfo, at: float) -> Window:
        """As :data:`WINDOWS` says; calls come in the order of time, so the window of the last call mostly holds."""
        known = self._windows.get((kind, zone.key))
        if known is None or not known.start <= at < known.end:
            known = self._windows[kind, zone.key] = WINDOWS[kind](at, zone)
        return known

    def _lines(self, budget: Budget, value: str, limits: Limits, at: float) -> list[Line]:
        zone = self._zones[budget.name]
        given = _whole(limits)
        changed = self._changed(budget, value)
        lines = []
        for kind in sorted({**given, **changed}, key=_place):
            limit = changed.get(kind, given.get(kind, 0))
            if kind == CALLS:
                window = self._window("total" if budget.scope in SHORT_SCOPES else "daily", zone, at)
                line = _calls_line(budget, value, window, limit, at)
            elif kind in WINDOWS:
                line = _line(budget, value, kind, self._window(kind, zone, at), limit, at)
            else:
                line = _rolling_line(budget, value, kind, limit, at)
            lines.append(replace(line, changed=True) if kind in changed else line)
        return lines

    def _changed(self, budget: Budget, value: str) -> dict[str, int]:
        """Limits that were set at run time. What is said of one value wins over what is said of all."""
        if not self._set:
            return {}
        override = budget.overrides.get(value)
        of_one = {} if override is None else _whole(override)
        of_all = self._set.get(owner_of(budget, ANY), {})
        found = {kind: amount for kind, amount in of_all.items() if kind not in of_one}
        return found | self._set.get(owner_of(budget, value), {})


@lru_cache(_MOST_AMOUNTS)
def _even(amount: int, number: int) -> tuple[int, ...]:
    """The same amount for all counters; one object for all calls that hold alike."""
    return (amount,) * number


def _whole(limits: Limits) -> dict[str, int]:
    """All limits that a counter keeps, by their kind: nano-dollars, and a number of calls."""
    found = {kind: nano_of_limit(usd) for kind, usd in limits.amounts().items()}
    found |= {f"{ROLLING}{text}": nano_of_limit(usd) for text, usd in limits.rolling.items()}
    return found if limits.max_calls is None else {**found, CALLS: limits.max_calls}


def _place(kind: str) -> tuple[int, str]:
    """The order of lines: windows of the clock from short to long, rolling ones, calls."""
    kinds = (*WINDOWS, ROLLING, CALLS)
    return kinds.index(ROLLING if kind.startswith(ROLLING) else kind), kind


def key_of(budget: Budget, value: str, kind: str) -> str:
    """The name of a counter: budget, scope and value, kind of window."""
    return f"{owner_of(budget, value)}|{kind}"


def owner_of(budget: Budget, value: str) -> str:
    """The beginning of the names of a value's counters."""
    return f"{budget.name}|{budget.scope}={value}"


def _calls_line(budget: Budget, value: str, window: Window, limit: int, at: float) -> Line:
    hard = limit if budget.mode == "block" else None
    until = _until(budget, window, at)
    counter = Counter(key_of(budget, value, CALLS), window.start, window.start, until, max_calls=hard)
    return Line(budget, value, CALLS, counter, window, calls=limit)


def _rolling_line(budget: Budget, value: str, kind: str, limit: int, at: float) -> Line:
    length = seconds_of(kind.removeprefix(ROLLING))
    slot, first = rolling(at, length)
    line = _line(budget, value, kind, slot, limit, at)
    counter = replace(line.counter, first=first, until=slot.end + length + GRACE_S)
    return replace(line, counter=counter, length=length)


def repeat_line(budget: Budget, value: str, prompt_hash: str, limit: int, at: float) -> Line:
    """The count of one prompt, in a run or a day; it is forgotten a day after its last day of use."""
    day = int(at // GRACE_S) * GRACE_S
    window = Window(0, FOREVER) if budget.scope in SHORT_SCOPES else Window(day, day + GRACE_S)
    hard = limit if budget.mode == "block" else None
    key = key_of(budget, value, f"prompt {prompt_hash}")
    counter = Counter(key, window.start, window.start, day + 2 * GRACE_S, max_calls=hard)
    return Line(budget, value, "repeats", counter, window, calls=limit)


def _line(budget: Budget, value: str, kind: str, window: Window, limit: int, at: float) -> Line:
    shares = budget.thresholds
    # Rounded down, as the limit itself: a share never lets more through.
    warn, degrade, block = (int(limit * share) for share in (shares.warn, shares.degrade, shares.block))
    hard = block if budget.mode == "block" else None
    until = _until(budget, window, at)
    counter = Counter(key_of(budget, value, kind), window.start, window.start, until, hard, mark=warn)
    return Line(budget, value, kind, counter, window, limit, warn, degrade, block)


def _below(line: Line, budgets: frozenset[str]) -> Counter:
    applies = line.limit is not None and line.budget.name in budgets
    return replace(line.counter, below=line.degrade) if applies else line.counter


def _until(budget: Budget, window: Window, at: float) -> int:
    if window.end != FOREVER:
        return window.end + GRACE_S
    if budget.scope in SHORT_SCOPES:
        return int(at // GRACE_S + 1) * GRACE_S + SHORT_LIFE_S
    return 0
