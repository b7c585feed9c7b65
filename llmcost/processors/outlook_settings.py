"""What foresight needs to know, from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmcost.processors.pulse import EVERY_S

if TYPE_CHECKING:
    from llmcost.control import Standing
    from llmcost.insight import Anomaly

OnAnomaly = Callable[["Anomaly"], object]
"""The user's callback: called with each report, in one process, in a thread of llmcost's."""

Standings = Callable[[Iterable[Mapping[str, str]]], Iterable["Standing"]]
"""How the budgets stand now: those over all calls, those with overrides, and those of the values given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookSettings:
    """What foresight needs to know.

    Attributes:
        ledger: URL of the ledger.
        folder: where the tray stands: the folder of the ledger or the store; None has none.
        store: folder of the local store, whose past is learnt at the first start; None where there is none.
        further: scopes of budgets beyond global, user, label and model.
        sensitivity: see :class:`~llmcost.insight.WatchSettings`.
        at_least: likewise.
        on_anomaly: the user's callback.
        webhook: URL that reports are posted to.
        secret: signs the posts.
        standings: how the budgets stand now.
        every_s: seconds between two rounds of the timer.
    """

    ledger: str
    folder: Path | None = None
    store: Path | None = None
    further: Sequence[str] = ()
    sensitivity: str = "medium"
    at_least: float = 0.0
    on_anomaly: OnAnomaly | None = None
    webhook: str | None = None
    secret: str | None = None
    standings: Standings = lambda _: ()
    every_s: float = EVERY_S
