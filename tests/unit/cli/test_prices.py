"""``llmcost prices``: what it writes, prints and returns."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from llmcost.calls import BilledPart, Call, Cost, Usage
from llmcost.cli import main
from llmcost.cli.prices import receipts_of
from llmcost.pricing import PriceBook, PriceRequest, PriceSources
from llmcost.pricing.pricemap import MapMeta, PriceMap, pack, read
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder
from llmcost.store.spool import Spool

OLD = {
    "kept": {"litellm_provider": "acme", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
    "gone": {"litellm_provider": "acme", "input_cost_per_token": 1e-6},
}
NEW = {
    "kept": {"litellm_provider": "acme", "input_cost_per_token": 3e-6, "output_cost_per_token": 2e-6, "comment": "x"},
    "born": {"litellm_provider": "acme", "input_cost_per_token": 1e-6},
    "sample_spec": {"input_cost_per_token": 0},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLMCOST_PRICE_MAP", raising=False)
    store = tmp_path / ".llmcost"
    store.mkdir()
    return store


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(["prices", *arguments], out, err), out.getvalue(), err.getvalue()


def installed(folder: Path) -> None:
    (folder / "prices.json.gz").write_bytes(pack(PriceMap(OLD, MapMeta("litellm", "1.0", "2026-01-01"))))


def test_update_writes_a_map_and_prints_the_difference(folder: Path, tmp_path: Path) -> None:
    installed(folder)
    (tmp_path / "new.json").write_text(json.dumps(NEW))
    code, out, err = run("update", "--from", "new.json", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["added"], told["removed"]) == (["born"], ["gone"])
    assert told["changed"] == {"kept": {"input_cost_per_token": [1e-6, 3e-6]}}
    written = read(folder / "prices.json.gz")
    assert set(written.models) == {"kept", "born"}
    assert "comment" not in written.models["kept"]
    assert run("update", "--from", "new.json")[1].splitlines()[1] == "0 added, 0 removed, 0 changed"


def test_a_dry_run_writes_nothing_and_finds_what_would_change(folder: Path, tmp_path: Path) -> None:
    installed(folder)
    before = (folder / "prices.json.gz").read_bytes()
    (tmp_path / "new.json").write_text(json.dumps(NEW))
    code, out, _ = run("update", "--from", "new.json", "--dry-run")
    assert code == 1
    assert "+ born" in out
    assert "- gone" in out
    assert "~ kept: input_cost_per_token 1e-06 -> 3e-06" in out
    assert (folder / "prices.json.gz").read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"m": 1}'])
def test_a_map_that_cannot_be_read_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    code, out, err = run("update", "--from", "bad.json")
    assert (code, out) == (2, "")
    assert err.startswith("llmcost: bad.json: ")
    assert err.count("\n") == 1


def test_update_without_litellm_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmcost.cli.prices.read_litellm", lambda: None)
    code, _, err = run("update")
    assert code == 2
    assert "llmcost-otel[litellm]" in err


def test_a_pinned_map_is_told_from_another(folder: Path) -> None:
    assert run("pin", "--check")[0] == 2
    installed(folder)
    code, out, _ = run("pin")
    assert code == 0
    assert "litellm 1.0" in out
    assert run("pin", "--check")[0] == 0
    (folder / "prices.json.gz").unlink()
    code, out, _ = run("pin", "--check")
    assert code == 1
    assert out.count("\n") == 1
    assert "pinned to litellm 1.0" in out


def test_show_prints_rates_fields_and_origin() -> None:
    code, out, _ = run("show", "gemini-2.5-pro", "--provider", "gcp.gemini")
    assert code == 0
    assert "gemini/gemini-2.5-pro (litellm of 2026-10-21)" in out
    assert "Prompts above 200,000 tokens" in out
    assert "input_cost_per_token_above_200k_tokens" in out
    told = json.loads(run("show", "gemini-2.5-pro", "--provider", "gcp.gemini", "--json")[1])
    assert told["rates"][1]["above_tokens"] == 200_000
    assert told["rates"][1]["usd_per_token"]["input"]["usd"] == 2.5e-6


def test_an_unknown_model_is_one_line_with_the_nearest_names() -> None:
    code, out, err = run("show", "gpt-5-minni", "--provider", "openai")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "gpt-5-mini" in err


# --- explain ----------------------------------------------------------------------------------------------------

USAGE = Usage(10_000, 500, cache_read_tokens=8_000, reasoning_tokens=200, web_searches=2)


def stored(folder: Path, **fields: object) -> Call:
    book = PriceBook(PriceSources(fill=False))
    request = PriceRequest("openai", "gpt-5-2025-08-07", "gpt-5", "default")
    facts: dict[str, object] = {
        "id": "call-1",
        "started_ns": 1_780_000_000_000_000_000,
        "duration": 1.0,
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-5",
        "response_model": "gpt-5-2025-08-07",
        "service_tier": "default",
        "usage": USAGE,
        "cost": book.price_call(request, USAGE),
        **fields,
    }
    call = Call(**facts)  # type: ignore[arg-type]
    spool = Spool(StoreFolder(folder))
    spool.append(call)
    assert spool.flush()
    fold(StoreFolder(folder))
    return call


def test_explain_adds_up_to_the_recorded_cost(folder: Path) -> None:
    call = stored(folder)
    code, out, _ = run("explain", "call-1", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["agrees"] is True
    lines = told["receipts"][0]["lines"]
    assert sum(line["amount"] for line in lines) == pytest.approx(call.cost.total, abs=1e-15)
    assert {line["field"] for line in lines} >= {"cache_read_input_token_cost", "input_cost_per_token"}
    text = run("explain", "call-1")[1]
    assert "cache read tokens" in text
    assert "web searches" in text


def test_explain_finds_a_cost_that_todays_prices_do_not_give(folder: Path) -> None:
    stored(folder, cost=Cost("priced", 1.0, 1.0, 0.0, 0.0, "gpt-5", "litellm", "2025-01-01"))
    code, out, _ = run("explain", "call-1")
    assert code == 1
    assert "litellm of 2025-01-01" in out


def test_explain_shows_a_cost_that_the_provider_stated(folder: Path) -> None:
    stored(folder, cost=Cost("priced", 0.5, 0.0, 0.5, 0.0, None, "provider"))
    code, out, _ = run("explain", "call-1")
    assert code == 0
    assert "The provider stated this cost" in out


@pytest.mark.parametrize(
    ("cost", "usage", "why", "compared"),
    [
        (Cost("explicit", 0.5), Usage(1_000, 100), "$0.5 (explicit, given by hand, or by an imported log)", True),
        (Cost("explicit", 0.5), Usage(), "$0.5 (explicit, given by hand, or by an imported log)", False),
        (Cost("not_billed"), Usage(), "- (not_billed, the provider refused or failed the call)", False),
        (Cost("counted_elsewhere"), Usage(1, 1), "- (counted_elsewhere, a gateway nearer to the provider", False),
    ],
)
def test_explain_says_why_a_cost_is_not_that_of_the_prices(
    folder: Path, cost: Cost, usage: Usage, why: str, compared: bool
) -> None:
    stored(folder, cost=cost, usage=usage, provider="unknown", request_model="gpt-5-mini", response_model=None)
    code, out, _ = run("explain", "call-1")
    assert (code, "no price" in out) == (0, False)
    assert f"Recorded: {why}" in out
    assert ("By the price map it would be:" in out) is compared


def test_explain_without_such_a_call_is_one_line(folder: Path) -> None:
    stored(folder)
    code, out, err = run("explain", "nosuch")
    assert (code, out) == (2, "")
    assert "nosuch" in err


def test_further_models_of_a_call_have_receipts_of_their_own(folder: Path) -> None:
    part = BilledPart("gpt-5-mini-2025-08-07", Usage(1_000, 100), Cost("priced", 0.1))
    call = stored(folder, parts=(part,))
    own, other = receipts_of(call, PriceBook(PriceSources(fill=False)))
    assert own[1].cost.price_key == "gpt-5-2025-08-07"
    assert sum(line.units for line in own[1].lines if "tokens" in line.kind) == 10_500 - 1_100
    assert other[1].cost.price_key == "gpt-5-mini-2025-08-07"
