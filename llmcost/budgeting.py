"""Composition of budgets: from settings to what the flow asks. Imported only where there are budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from llmcost.checking import DEFAULT_STORE
from llmcost.config import Config
from llmcost.control import Callbacks, Controller, MapModels, check_all, ledger_for
from llmcost.exchange.admission import Gate
from llmcost.pricing import PriceBook
from llmcost.processors import outlook
from llmcost.processors.outlook import LEDGER_FILE
from llmcost.store.paths import find

WAITING: Final = "unsettled"
"""Folder, beside the ledger of the store, of settlements that wait while a ledger cannot be reached."""


def folder_of(config: Config) -> Path:
    """Where the ledger and the store of these settings are, for a process that does not observe."""
    if isinstance(config.store, Path):
        return config.store
    here = DEFAULT_STORE.resolve()
    return here if (here / LEDGER_FILE).exists() else find(Path.cwd()).root


def ledger_url(config: Config, folder: Path) -> str:
    """The ledger's URL: as configured, else a file in the store's folder."""
    return outlook.ledger_url(config.ledger, folder)


def controller_of(config: Config, prices: PriceBook, folder: Path, callbacks: Callbacks | None = None) -> Controller:
    """The budgets of the settings over their ledger.

    Args:
        config: the settings.
        prices: fallbacks are checked against it.
        folder: of the local store.
        callbacks: the user's own say.

    Raises:
        ConfigError: naming the budget and the key at fault.
    """
    check_all(config.budgets, MapModels(prices))
    ledger = ledger_for(ledger_url(config, folder), config.budgets, folder / WAITING)
    # Series are kept by foresight, in the same ledger and for all calls.
    return Controller(config.budgets, ledger, callbacks or Callbacks(), series=())


def gate_of(config: Config, prices: PriceBook, folder: Path, callbacks: Callbacks | None = None) -> Gate:
    """What the flow asks; see :func:`controller_of`."""
    controller = controller_of(config, prices, folder, callbacks)
    return Gate(controller, prices, config.run_id, gauges=config.metric_users)
