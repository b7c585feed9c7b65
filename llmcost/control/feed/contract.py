"""What a feed is: the records that go in and out, and the protocol that every back end keeps.

Processes add sums of their calls by *slot*, a stretch of ``SLOT_S`` seconds. A slot that is over is taken in by one
process, whichever comes first: in one atomic step the rows go out, the new states of the series they touch come in, and
the *cursor* moves on. So all processes agree by construction, none keeps a series in memory, and a process that dies at
any moment leaves either both or neither. What comes late, for a slot behind the cursor, counts in the first open one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from llmcost.calls import SLOT_S

MOST_KEYS: Final = 100_000
"""Series that are kept; beyond, those silent longest are dropped."""

NAMES_KEPT_S: Final = 7 * 86_400
"""How long it is remembered what was added."""

REPORTS_KEPT_S: Final = 400 * 86_400
"""How long what was found is remembered."""


class Sums(NamedTuple):
    """What some calls add up to: ``nano`` is nano-dollars over the ``priced`` ones, those whose cost is known."""

    calls: int = 0
    priced: int = 0
    nano: int = 0
    tokens: int = 0
    errors: int = 0
    retries: int = 0


class FeedRow(NamedTuple):
    """The calls of one kind in one slot. ``who`` is what :func:`who_of` makes of their user, label, model and so on."""

    slot: int
    who: str
    sums: Sums


class Kept(NamedTuple):
    """A series: its key, its state as text, and whether it has something to say even where no call comes."""

    key: str
    state: str
    awake: bool


class Found(NamedTuple):
    """A report: its name, the same in every process, its time in Unix seconds, and its text."""

    name: str
    at: float
    report: str


class Step(NamedTuple):
    """What can be taken in now: all rows before ``until``. ``cursor`` is None where nothing was taken in so far."""

    cursor: int | None
    until: int
    rows: Sequence[FeedRow]


class Feed(Protocol):
    """What every back end does. Every method may raise a ``LedgerFailure``, and nothing else."""

    def now(self) -> float:
        """The feed's clock."""

    def add(self, rows: Iterable[FeedRow], once: str) -> None:
        """Add sums; all or none, and once by the name ``once``, so that a lost answer books nothing twice."""

    def due(self, grace_s: float, most_s: float) -> Step | None:
        """What can be taken in: slots that have been over for ``grace_s``, at most ``most_s`` seconds of them at once.
        None where there is nothing, neither rows nor a series that is awake."""

    def awake(self) -> list[str]:
        """Keys of the series that are awake."""

    def states(self, keys: Iterable[str]) -> dict[str, str]:
        """The states of those of the keys that are known."""

    def keys(self, kind: str, most: int) -> list[str]:
        """Keys of a kind (``label``), those that were touched last first."""

    def claim(self, step: Step, for_s: float) -> bool:
        """True for one caller over all processes until the time is over: who does the work of a step. It only saves
        work; that a step is taken in once is what :meth:`commit` sees to."""

    def commit(self, step: Step, kept: Sequence[Kept], found: Sequence[Found], most_keys: int = MOST_KEYS) -> bool:
        """Take a step in, all or nothing. False where another process was faster, or has added to the step's slots
        meanwhile; then nothing has changed, and the step is to be asked for anew."""

    def take(self) -> list[str]:
        """Reports that nobody has taken yet, oldest first. Each is given to one caller over all processes."""

    def reports(self, since: float) -> list[str]:
        """Reports from a time on, oldest first."""

    def dropped(self) -> int:
        """How many series were dropped, since there were too many."""

    def close(self) -> None:
        """Let go of connections. The feed can be used again."""


def slot_of(at: float) -> int:
    """The start of the slot that holds an instant."""
    return int(at // SLOT_S) * SLOT_S


def who_of(values: Mapping[str, str]) -> str:
    """Scopes and their values as text, the same for the same values."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def scopes_of(who: str) -> dict[str, str]:
    """The values that :func:`who_of` wrote."""
    values: dict[str, str] = json.loads(who)
    return values


def key_of(kind: str, name: str = "") -> str:
    """The key of a series: ``global``, or ``label=summarization``."""
    return f"{kind}={name}" if name else kind


def until_of(now: float, grace_s: float, most_s: float, first: int | None) -> int:
    """Up to where slots can be taken in, given the first one that has rows."""
    until = slot_of(now - grace_s)
    return until if first is None else min(until, slot_of(first + most_s))
