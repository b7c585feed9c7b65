"""The price book: where prices come from, and what a cost says of them."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from llmcost.calls import Usage
from llmcost.errors import ConfigError, PriceMapError
from llmcost.pricing import PriceBook, PriceRequest, PriceSources, unpriced
from llmcost.pricing import pricemap as maps
from llmcost.pricing.lock import mismatch, pin
from llmcost.pricing.pricemap import MapMeta, PriceMap, only_needed, pack, read

ACME = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
USAGE = Usage(1_000, 100)


def book_of(entries: dict[str, Any], tmp_path: Path, **sources: Any) -> PriceBook:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(entries))
    return PriceBook(PriceSources(price_map=path, fill=False, **sources))


# --- maps -------------------------------------------------------------------------------------------------------


def test_importing_llmcost_does_not_read_the_map_or_import_litellm() -> None:
    code = (
        "import sys, llmcost, llmcost.pricing; from llmcost.pricing import PriceBook; book = PriceBook();"
        "print('map' in vars(book), 'litellm' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]


def test_the_snapshot_says_where_it_comes_from() -> None:
    prices = read(maps.SNAPSHOT)
    assert prices.meta == MapMeta("litellm", "1.106.2", "2026-10-21")
    assert len(prices.models) == 4_240
    assert "sample_spec" not in prices.models
    assert maps.SNAPSHOT.stat().st_size < 150_000
    notice = (maps.SNAPSHOT.parent / "NOTICE").read_text()
    assert "1.106.2, of 2026-10-21" in notice
    assert "Copyright (c) 2023 Berri AI" in notice


def test_the_snapshot_is_made_from_the_named_release() -> None:
    path = maps.litellm_file()
    if path is None:
        pytest.skip("litellm is not installed")
    raw = json.loads(path.read_text(encoding="utf-8"))
    packed = pack(PriceMap(only_needed(raw), read(maps.SNAPSHOT).meta))
    # The ninth byte names the system that compressed it; Python releases differ in it.
    assert gzip.decompress(packed) == gzip.decompress(maps.SNAPSHOT.read_bytes())


def test_a_named_map_replaces_the_shipped_one_plain_or_compressed(tmp_path: Path) -> None:
    book = book_of({"m": ACME}, tmp_path)
    cost = book.price("m", USAGE)
    assert cost.total == pytest.approx(0.0012)
    assert cost.price_date == datetime.fromtimestamp((tmp_path / "map.json").stat().st_mtime, UTC).date().isoformat()
    assert book.price("gpt-5", USAGE).status == "unpriced"
    packed = tmp_path / "map.json.gz"
    packed.write_bytes(gzip.compress((tmp_path / "map.json").read_bytes()))
    assert PriceBook(PriceSources(price_map=packed, fill=False)).price("m", USAGE).total == cost.total


def test_a_map_of_prices_update_wins_over_the_snapshot(tmp_path: Path) -> None:
    local = tmp_path / "prices.json.gz"
    assert PriceBook(PriceSources(local_map=local, fill=False)).price("gpt-5", USAGE).total is not None
    local.write_bytes(pack(PriceMap({"m": ACME}, MapMeta("litellm", "9", "2027-01-01"))))
    cost = PriceBook(PriceSources(local_map=local, fill=False)).price("m", USAGE)
    assert (cost.price_source, cost.price_date) == ("litellm", "2027-01-01")


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"m": 3}', b"\x1f\x8bnot gzip", b"\xff\xfe"])
def test_a_damaged_map_is_one_error_that_names_the_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(data)
    with pytest.raises(PriceMapError, match=r"map\.json"):
        PriceBook(PriceSources(price_map=path)).price("m", USAGE)


def test_an_installed_litellm_fills_what_is_missing_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = {"m": ACME | {"input_cost_per_token": 9e-6}, "acme/newer": ACME}
    reads = []

    def installed() -> PriceMap:
        reads.append(1)
        return PriceMap(fresh, MapMeta("litellm", "2.0", "2027-02-02"))

    monkeypatch.setattr(maps, "read_litellm", installed)
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"m": ACME}))
    book = PriceBook(PriceSources(price_map=path))
    assert book.price("m", USAGE, provider="acme").total == pytest.approx(0.0012)
    assert reads == []
    cost = book.price("newer", USAGE, provider="acme")
    assert (cost.price_key, cost.price_date) == ("acme/newer", "2027-02-02")
    assert reads == [1]


# --- the user's rows ----------------------------------------------------------------------------------------------


def test_a_users_row_wins_and_zero_is_a_price(tmp_path: Path) -> None:
    rows = {"m": {"input_cost_per_token": 5e-6, "output_cost_per_token": 0}, "free": {"input_cost_per_token": 0}}
    book = book_of({"m": ACME}, tmp_path, rows=rows)
    cost = book.price("m", USAGE, provider="acme")
    assert cost.total == pytest.approx(0.005)
    assert (cost.price_source, cost.price_key) == ("override", "m")
    free = book.price("free", Usage(1_000, 0), provider="anyone")
    assert (free.status, free.total) == ("priced", 0.0)


def test_the_newest_dated_row_whose_date_has_come_wins(tmp_path: Path) -> None:
    rows = {
        "m": [
            {"from": date(2026, 6, 1), "input_cost_per_token": 2e-6, "output_cost_per_token": 0},
            {"from": "2026-09-01", "input_cost_per_token": 3e-6, "output_cost_per_token": 0},
        ]
    }
    book = book_of({"m": ACME}, tmp_path, rows=rows)
    found = {
        day: book.price("m", Usage(1_000_000, 0), provider="acme", at=datetime.fromisoformat(day).replace(tzinfo=UTC))
        for day in ("2026-05-31", "2026-06-01", "2026-08-31", "2026-09-01")
    }
    assert [round(cost.total or 0, 9) for cost in found.values()] == [1.0, 2.0, 2.0, 3.0]
    assert [cost.price_source for cost in found.values()] == ["litellm", "override", "override", "override"]
    assert found["2026-09-01"].price_date == "2026-09-01"


def test_a_row_for_a_deployment_wins_over_the_model_that_answered() -> None:
    rows = {"my-deployment": {"same_as": "azure/gpt-4o-2024-05-13"}}
    book = PriceBook(PriceSources(rows=rows, fill=False))
    usage = Usage(1_000_000, 0)
    with_row = book.price_call(PriceRequest("azure.ai.openai", "gpt-4o", "my-deployment"), usage)
    without = book.price_call(PriceRequest("azure.ai.openai", "gpt-4o", "other"), usage)
    assert with_row.total == pytest.approx(5.0)
    assert with_row.price_source == "override"
    assert without.total == pytest.approx(2.5)


def test_a_row_may_name_the_provider(tmp_path: Path) -> None:
    book = book_of({}, tmp_path, rows={"acme/m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}})
    assert book.price("m", USAGE, provider="acme").status == "priced"
    assert book.price("m", USAGE, provider="other").status == "unpriced"


def test_the_users_price_wins_over_a_stated_cost(tmp_path: Path) -> None:
    book = book_of({}, tmp_path, rows={"m": {"input_cost_per_token": 0, "output_cost_per_token": 0}})
    assert book.price_call(PriceRequest("acme", "m"), USAGE, stated_cost=1.0).total == 0.0


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"input_cost_per_token": "cheap"}, "input_cost_per_token"),
        ({"input_cost_per_token": -1}, "input_cost_per_token"),
        ({"input_price": 1}, "input_price"),
        ({"from": "yesterday", "input_cost_per_token": 1}, "from"),
        ({"from": "2026-01-01"}, "no price"),
        ({"same_as": 3}, "same_as"),
        (3, "expected a table"),
    ],
)
def test_a_wrong_row_is_one_error_that_names_it(row: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        PriceBook(PriceSources(rows={"my-model": row}))
    assert 'prices."my-model"' in str(caught.value)


# --- what a cost says ---------------------------------------------------------------------------------------------


def test_zero_is_zero_listed_for_a_hosted_model_and_a_price_for_a_local_one() -> None:
    book = PriceBook(PriceSources(fill=False))
    hosted = book.price("command-a-plus-05-2026", USAGE, provider="cohere")
    local = book.price("llama3", USAGE, provider="ollama")
    assert (hosted.status, hosted.total) == ("zero_listed", 0.0)
    assert (local.status, local.total) == ("priced", 0.0)


def test_a_class_without_a_rate_makes_the_cost_partial_and_is_named(tmp_path: Path) -> None:
    book = book_of({"m": {"litellm_provider": "acme", "input_cost_per_token": 1e-6}}, tmp_path)
    cost = book.price("m", USAGE)
    assert cost.status == "partial"
    assert cost.total == pytest.approx(0.001)
    assert "output" in (cost.note or "")
    nothing = book.price("m", Usage(0, 100))
    assert (nothing.status, nothing.total) == ("partial", None)


def test_no_usage_is_no_cost(tmp_path: Path) -> None:
    book = book_of({"m": ACME}, tmp_path)
    assert book.price("m", Usage()).total is None
    half = book.price("m", Usage(1_000))
    assert half.status == "partial"
    assert half.total == pytest.approx(0.001)


def test_an_unknown_tier_is_priced_at_the_standard_rates_and_said(tmp_path: Path) -> None:
    cost = book_of({"m": ACME}, tmp_path).price("m", USAGE, service_tier="turbo")
    assert cost.total == pytest.approx(0.0012)
    assert "turbo" in (cost.note or "")


def test_an_unknown_model_is_counted_each_time_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = book_of({"acme/model-one": ACME}, tmp_path)
    with caplog.at_level(logging.WARNING, "llmcost"):
        for _ in range(3):
            assert book.price("model-onn", USAGE, provider="acme").total is None
    assert unpriced["acme", "model-onn"] == 3
    lines = [record.getMessage() for record in caplog.records if "model-onn" in record.getMessage()]
    assert len(lines) == 1
    assert "acme/model-one" in lines[0]


def test_a_hostile_name_stays_on_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "llmcost"):
        cost = book_of({}, tmp_path).price('x"\n\x1b[31m', USAGE, provider="acme")
    assert "\n" not in (cost.note or "")
    assert "\x1b" not in (cost.note or "")
    assert all("\n" not in record.getMessage() for record in caplog.records)


# --- lock ---------------------------------------------------------------------------------------------------------


def test_a_map_that_is_not_the_pinned_one_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lock = tmp_path / "prices.lock"
    prices = PriceMap({"m": ACME}, MapMeta("litellm", "1", "2026-01-01"))
    assert mismatch(lock, prices) is None
    pin(lock, prices)
    assert mismatch(lock, prices) is None
    with caplog.at_level(logging.WARNING, "llmcost"):
        book = book_of({"m": ACME | {"input_cost_per_token": 2e-6}}, tmp_path, lock=lock)
        book.price("m", USAGE)
        book.price("m", USAGE)
    said = [record.getMessage() for record in caplog.records if "pinned" in record.getMessage()]
    assert len(said) == 1
    lock.write_text("{}")
    with pytest.raises(PriceMapError, match=r"prices\.lock"):
        mismatch(lock, prices)


def test_the_cache_of_names_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmcost.pricing.book._MOST_NAMES", 5)
    book = book_of({"m": ACME}, tmp_path)
    for number in range(20):
        book.find(PriceRequest("acme", f"m{number}"))
    assert len(book._cache) <= 5


def test_the_map_is_read_in_tens_of_milliseconds() -> None:
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert PriceBook(PriceSources(fill=False)).map.models
        taken.append(time.process_time() - start)
    assert min(taken) < 0.1
