"""``llmcost prices``: the map in use, where a price comes from, and how the cost of a call comes about."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from llmcost import config
from llmcost.calls import Call, Usage
from llmcost.cli import CLEAN, FINDINGS
from llmcost.cli import options as o
from llmcost.cli import price_tables as tables
from llmcost.cli.options import console
from llmcost.errors import MissingExtra, PriceMapError, StoreError, UnknownModel, reason
from llmcost.pricing import LOCAL_FILE, LOCK_FILE, PriceBook, PriceRequest, Receipt, billed_tier
from llmcost.pricing.lock import mismatch, pin
from llmcost.pricing.pricemap import SNAPSHOT, PriceMap, compare, only_needed, pack, read, read_litellm
from llmcost.runtime import price_book

app: Final = typer.Typer(
    help="The price map in use: renew it, pin it, show a price, explain a cost.",
    add_completion=False,
    no_args_is_help=True,
)

ProviderChoice = Annotated[
    str | None, typer.Option("--provider", help="The provider, as OpenTelemetry or LiteLLM spells it.")
]
TierChoice = Annotated[str | None, typer.Option("--tier", help="The service tier: flex, priority, batch.")]
RegionChoice = Annotated[str | None, typer.Option("--region", help="The cloud region or data residency.")]


@app.command()
def update(
    source: Annotated[
        str, typer.Option("--from", metavar="litellm|FILE", help="The installed litellm, or a price map.")
    ] = "litellm",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; exit 1 where something would change.")
    ] = False,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """Write .llmcost/prices.json.gz from an installed litellm or a file, and print what changes. No network."""
    new = _wanted(source)
    target = _folder(store) / LOCAL_FILE
    difference = compare(_present(store).models, new.models)
    if not dry_run:
        _write(target, pack(new))
    if as_json:
        print(json.dumps({**_meta(new), "written": None if dry_run else str(target), **asdict(difference)}, indent=2))
    else:
        tables.show_difference(difference, new, console())
        print(f"{'Would write' if dry_run else 'Wrote'} {target}")
    return FINDINGS if dry_run and not difference.empty else CLEAN


@app.command("pin")
def pin_map(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the map is not the pinned one.")
    ] = False,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """Write .llmcost/prices.lock: the source, version and hash of the map in use. A map that differs is told."""
    path, prices = _folder(store) / LOCK_FILE, _book(store).map
    if check:
        line = mismatch(path, prices)
        if line is None and not path.is_file():
            raise PriceMapError(f"{path}: nothing is pinned; pin the map with: llmcost prices pin")
        print(json.dumps({"lock": str(path), "differs": line}) if as_json else line or f"{path}: as pinned")
        return FINDINGS if line else CLEAN
    pin(path, prices)
    meta = prices.meta
    print(
        json.dumps({**_meta(prices), "lock": str(path)}, indent=2)
        if as_json
        else f"Pinned {meta.source} {meta.version} of {meta.date}, {len(prices.models):,} models, in {path}"
    )
    return CLEAN


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="A model's name, or its key of the price map.")],
    provider: ProviderChoice = None,
    tier: TierChoice = None,
    region: RegionChoice = None,
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> None:
    """Print a model's rates, and the entry and fields they come from."""
    book = _book(store)
    request = PriceRequest(provider, model, None, tier, region)
    price = book.find(request)
    if price is None:
        raise UnknownModel(book.explain(request, Usage(0, 0)).cost.note or f"no price for {model!r}")
    if as_json:
        print(json.dumps(tables.price_as_json(price), indent=2))
    else:
        tables.show_price(price, console())


@app.command()
def explain(
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID", help="The id of a stored call, or its beginning.")],
    as_json: o.JsonOption = False,
    store: o.StoreOption = None,
) -> int:
    """Print the receipt of a call: class of tokens x rate = amount, and where each rate came from.

    It is computed anew from the stored usage; exit 1 where today's prices give another cost than was recorded.
    """
    from llmcost.store.listing import one

    with o.opened(store) as connection:
        call = one(connection, call_id)
    if call is None:
        raise StoreError(f"no call {call_id!r} in the store; llmcost calls --json lists their ids")
    receipts = receipts_of(call, _book(store))
    same = tables.agrees(call, receipts)
    if as_json:
        print(json.dumps(tables.receipts_as_json(call, receipts), indent=2))
    else:
        tables.show_receipts(call, receipts, console())
    return CLEAN if same else FINDINGS


def receipts_of(call: Call, book: PriceBook) -> list[tuple[str, Receipt]]:
    """A receipt for each model that a call billed, by the model's name; the call's own first."""
    tier = billed_tier(call.service_tier, call.requested_service_tier)

    def receipt(model: str | None, usage: Usage) -> tuple[str, Receipt]:
        request = PriceRequest(call.provider, model, call.request_model, tier, call.region)
        return model or call.request_model or "", book.explain(request, usage, call.started_ns / 1e9)

    own = _without_parts(call)
    return [receipt(call.response_model, own), *(receipt(part.model, part.usage) for part in call.parts)]


def _without_parts(call: Call) -> Usage:
    """The usage of the call's own model. That of a call is the sum over all models that it billed."""
    usage = asdict(call.usage)
    for part in call.parts:
        for name, value in asdict(part.usage).items():
            if isinstance(value, (int, float)):
                usage[name] = (usage[name] or 0) - value
    return Usage(**usage)


def _folder(store: Path | None) -> Path:
    return o.store_folder(store).root


def _book(store: Path | None) -> PriceBook:
    return price_book(config.load({"store": str(_folder(store))}))


def _present(store: Path | None) -> PriceMap:
    """The map in use; the shipped one where that cannot be read: an update is how it is mended."""
    try:
        return _book(store).map
    except PriceMapError:
        return read(SNAPSHOT)


def _wanted(source: str) -> PriceMap:
    if source != "litellm":
        found = read(Path(source))
        return PriceMap(only_needed(found.models), found.meta)
    installed = read_litellm()
    if installed is None:
        raise MissingExtra("llmcost prices update --from litellm", "litellm")
    shipped = read(SNAPSHOT).meta
    # The file of an installed package has the date of its installation; the snapshot knows that of its own release.
    meta = shipped if installed.meta.version == shipped.version else installed.meta
    return PriceMap(only_needed(installed.models), meta)


def _write(target: Path, data: bytes) -> None:
    """Write a file as a whole or not at all; other processes may be reading it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.tmp")
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as exc:
        raise PriceMapError(f"{target}: {reason(exc)}") from None


def _meta(prices: PriceMap) -> dict[str, Any]:
    return {**asdict(prices.meta), "models": len(prices.models)}
