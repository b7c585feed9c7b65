"""The ledger's foresight as the commands read it: brought up to date first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmcost import config
from llmcost.cli import options as o
from llmcost.config import Config
from llmcost.control.feed import Feed, open_feed
from llmcost.control.feed.sqlite import SqliteFeed
from llmcost.insight import WatchSettings
from llmcost.processors.foresight import Foresight
from llmcost.processors.outlook import ledger_url
from llmcost.processors.publishing import past_of
from llmcost.processors.sums import further_scopes
from llmcost.processors.tray import FOLDER, Tray
from llmcost.report.foretold import told_as_store_error
from llmcost.store.paths import StoreFolder


def watch_settings(settings: Config) -> WatchSettings:
    """What is worth a report, as these settings say."""
    return WatchSettings(sensitivity=settings.anomalies.sensitivity, at_least=settings.anomalies.at_least)


def is_shared(option: Path | None) -> bool:
    """Whether a ledger is set that other machines or programs may write to as well: it then knows more than a store.
    A store that is named is read by itself."""
    ledger = config.load().ledger
    return option is None and ledger is not None and not ledger.startswith("memory:")


@contextmanager
def known_feed(option: Path | None) -> Iterator[Feed | None]:
    """The foresight of the ledger that is set, else of the one in the store's folder; None where it knows of no call.

    Raises:
        StoreError: the ledger cannot be read.
    """
    settings, folder = config.load(), o.store_folder(option)
    feed = _feed(settings, folder, shared=is_shared(option))
    if feed is None:
        yield None
        return
    with told_as_store_error():
        try:
            part = Foresight(
                feed,
                watch_settings(settings),
                tray=Tray(folder.root / FOLDER),
                history=past_of(folder.root, further_scopes(settings.budgets)),
            )
            feed.awake()  # fails at once where the ledger is gone, in place of a warning by the part
            part.send([])
            part.advance()
            yield feed if feed.states(["global"]) else None
        finally:
            feed.close()


def _feed(settings: Config, folder: StoreFolder, *, shared: bool) -> Feed | None:
    """A file that nobody has written is not made by looking."""
    feed = open_feed(ledger_url(settings.ledger if shared else None, folder.root.resolve()))
    return None if isinstance(feed, SqliteFeed) and not feed.path.exists() else feed
