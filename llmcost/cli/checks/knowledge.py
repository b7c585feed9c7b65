"""What is known: the semantic map, the prices, and the models that have none."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from shlex import quote
from typing import Final

from llmcost import sections
from llmcost.calls import Call
from llmcost.cli.checks.finding import Finding, Surroundings
from llmcost.errors import LLMCostError, PriceMapError
from llmcost.pricing import LOCAL_FILE, LOCK_FILE, PriceBook, PriceRequest
from llmcost.pricing.lock import mismatch
from llmcost.report.words import plain, plural
from llmcost.runtime import price_book
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.listing import newest
from llmcost.store.query import Group, Spend
from llmcost.store.stats import days_ago

PRICES_DAYS: Final = 30
"""From this age of the prices on, newer ones are worth a look. Costs are no less complete for it: it is a note."""
NEWER_PRICES: Final = "pip install --upgrade litellm && llmcost prices update"
_UNPRICED_DAYS: Final = 30
_UNPRICED_SHOWN: Final = 10
_ID_SHOWN: Final = 8
"""Characters of a call's id that tell it from others."""


def semantic_map(around: Surroundings) -> Iterator[Finding]:
    """Whether there is a map, and whether a scan would make the same one."""
    path = around.map_path
    if path is None:
        recorded = around.folder.exists  # before the first call nothing is wrong
        yield Finding("map", not recorded, "no semantic map: calls are untracked", "llmcost scan")
        return
    try:
        files = sections.load(path).files
        made = path.stat().st_mtime
    except (LLMCostError, OSError) as exc:
        yield Finding("map", False, str(exc), "llmcost scan")
        return
    root = path.parent.parent
    newer = {name for name in files if not (root / name).is_file() or (root / name).stat().st_mtime > made}
    changed = _remapped(root, newer) if newer else []
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        yield Finding(
            "map", False, f"older than the code: {plain(changed[0])}{more} changed", f"llmcost scan {quote(str(root))}"
        )
    else:
        age = (around.now - datetime.fromtimestamp(made, UTC)).days
        yield Finding("map", True, f"{plural(len(files), 'file')} mapped, {plural(max(age, 0), 'day')} ago")


def _remapped(root: Path, files: Collection[str]) -> list[str]:
    """What a scan would change of the rows of these files, as FILE:FUNCTION. The time of a file says too little: a
    checkout gives all of them a new one, and most changes of code change no row."""
    from llmcost.cli.scan import finished_scan

    changes = finished_scan(root, notebooks=any(name.endswith(".ipynb") for name in files)).changes
    keys = [*changes.new, *changes.gone, *(old for old, _ in changes.moved), *(key for key, *_ in changes.relabelled)]
    return [f"{file}:{function}" for file, function in keys if file in files]


def prices(around: Surroundings) -> Iterator[Finding]:
    """Which prices are in use, how old they are, and whether they are the pinned ones."""
    try:
        in_use = price_book(around.settings).map
        meta = in_use.meta
        age = (around.now.date() - date.fromisoformat(meta.date)).days
    except (LLMCostError, ValueError) as exc:
        local = around.folder.root / LOCAL_FILE
        fix = "correct price_map, or LLMCOST_PRICE_MAP" if around.settings.price_map else f"rm {quote(str(local))}"
        yield Finding("prices", False, str(exc), fix)
        return
    try:
        pinned = mismatch(around.folder.root / LOCK_FILE, in_use)
    except PriceMapError as exc:  # the map itself is read; its lock file is not
        pinned = str(exc)
    if pinned is not None:
        yield Finding("prices", False, pinned, "llmcost prices pin, or put the pinned map back")
    text = f"prices of {meta.date} ({plain(meta.source)} {plain(meta.version)}), {plural(max(age, 0), 'day')} old"
    yield Finding("prices", True, text, None if age <= PRICES_DAYS else NEWER_PRICES)


def unpriced(around: Surroundings) -> Iterator[Finding]:
    """The models of late calls without a price, those with most calls first."""
    if not around.folder.database.exists():
        return
    since, status = days_ago(_UNPRICED_DAYS, around.now), ("unpriced",)
    try:
        book = price_book(around.settings)
        with reading(around.folder) as connection:
            groups = Spend(connection, Filter(since=since, values={"status": status}), UTC).by("model")
            for group in sorted(groups, key=lambda group: -group.sums.calls)[:_UNPRICED_SHOWN]:
                wanted = Filter(since=since, values={"status": status, "model": (group.key,)})
                yield _without_price(group, next(newest(connection, wanted, 1)), book)
    except (LLMCostError, sqlite3.Error):
        return  # the checks of prices and store say so
    if len(groups) > _UNPRICED_SHOWN:
        yield Finding("unpriced models", False, f"and {plural(len(groups) - _UNPRICED_SHOWN, 'further model')}")
    if not groups:
        yield Finding("unpriced models", True, f"every model of the last {_UNPRICED_DAYS} days has a price")


def _without_price(group: Group, call: Call, book: PriceBook) -> Finding:
    """What can be done for calls without a price, by the newest of them."""
    name, calls = plain(group.key), f"{plural(group.sums.calls, 'call')} of the last {_UNPRICED_DAYS} days"
    request = PriceRequest(call.provider, call.response_model, call.request_model, call.service_tier, call.region)
    if book.find(request, call.started_ns / 1e9) is None:
        said, _, setting = plain(book.explain(request, call.usage).cost.note or "").partition("; ")
        fix = f"{setting}; or look for newer prices: {NEWER_PRICES}" if setting else None
        return Finding("unpriced models", False, f"{name}: {calls}: {said}", fix)
    if call.usage.total_tokens:
        fix = f"the next calls will have a cost; llmcost prices explain {plain(call.id[-_ID_SHOWN:])} tells that of one"
        return Finding("unpriced models", True, f"{name} has a price now; {calls} had none", fix)
    return Finding("unpriced models", False, f"{name}: {calls} without a cost: {plain(call.cost.note or 'no usage')}")
