"""``llmcost forecast``, ``llmcost anomalies`` and ``llmcost.forecast`` read the ledger that is set, wherever it is."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.budgeting import URL, answer, body
from contract.observed import observed
from factories import a_call
from ledgers import BENCHES
from stores import filled

import llmcost
from llmcost.calls import Attribution, Call
from llmcost.cli import main
from llmcost.control.feed import open_feed
from llmcost.errors import ConfigError
from llmcost.insight import CostPrediction, NotEnoughHistory, WatchSettings
from llmcost.processors.foresight import Foresight
from llmcost.processors.sums import CallSums

DAY = 86_400
HOURLY = 0.25


def calls(days: int, dear_for_s: float = 0.0) -> Iterator[Call]:
    """Four calls an hour, 25 cents together, until now; at the end six times as dear with another model."""
    now = time.time()
    for number in range(days * 96):
        started = now - 900 * (days * 96 - number) + 5
        dear = started > now - dear_for_s
        yield a_call(
            number,
            started_ns=int(started * 1e9),
            cost=HOURLY / 4 * (6 if dear else 1),
            request_model="gpt-5.4" if dear else "gpt-5-mini",
            attribution=Attribution(
                label="chat", label_source="map", user_id=f"u{number % 2}", context={"tenant": "acme"}
            ),
        )


@pytest.fixture(params=["sqlite", "redis"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a ledger that the settings name; no store stands beside it."""
    elsewhere = tmp_path / "ledger"
    elsewhere.mkdir()
    url = BENCHES[request.param](elsewhere, lambda: request.getfixturevalue("redis_server")).url
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("LLMCOST_LEDGER", url)
    return url


def sent(url: str, made: Iterator[Call]) -> None:
    """Other machines' calls, which only the ledger hears of."""
    feed, sums = open_feed(url), CallSums(("tenant",))
    for call in made:
        sums.add(call)
    Foresight(feed, WatchSettings()).send(sums.drain())
    feed.close()


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(list(arguments), out, err)
    return code, out.getvalue(), err.getvalue()


def outlooks(*arguments: str) -> list[dict[str, Any]]:
    code, out, err = run("forecast", "--json", *arguments)
    assert code == 0, err
    return list(json.loads(out)["outlooks"])


def test_the_forecast_is_of_all_machines(ledger: str) -> None:
    sent(ledger, calls(20))
    (week,) = outlooks("--horizon", "7")
    assert week["total"]["mean"] == pytest.approx(7 * 24 * HOURLY, rel=0.15)
    assert {one["name"] for one in outlooks("--by", "user")} == {"u0", "u1"}
    (user,) = outlooks("--user", "u0", "--horizon", "7")
    assert user["total"]["mean"] == pytest.approx(7 * 24 * HOURLY / 2, rel=0.15)
    (month,) = outlooks()
    assert month["days"][-1]["median"] == pytest.approx(month["total"]["mean"])
    assert month["days"] == sorted(month["days"], key=lambda day: day["median"])
    code, out, err = run("forecast")
    assert (code, err) == (0, "")
    assert "From the ledger" in out

    found = llmcost.forecast(label="chat", horizon=7)
    assert isinstance(found, CostPrediction)
    assert found.mean == pytest.approx(week["total"]["mean"], rel=0.01)
    assert llmcost.forecast("nobody") == NotEnoughHistory(0)
    with pytest.raises(ConfigError, match="user and label"):
        llmcost.forecast("u0", "chat")
    assert run("forecast", "--user", "u0", "--label", "chat")[0] == 2


def test_the_anomalies_are_of_all_machines(ledger: str) -> None:
    sent(ledger, calls(9, dear_for_s=4 * 3600))
    code, out, err = run("anomalies", "--json")
    assert (code, err) == (1, "")
    (found,) = [one for one in json.loads(out) if one["scope"] == {"kind": "label", "name": "chat"}]
    assert (found["open"], found["cause"]) == (True, "model")


def test_a_budget_is_foretold_as_the_ledger_counts_it(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = [{"name": "tenants", "scope": "tenant", "monthly": 0.002, "mode": "observe"}]
    sent(ledger, calls(20))
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"content-type": "application/json"}, content=answer())
    )
    with (
        observed(budgets=budgets, ledger=ledger, store=False, foresight="on", metrics=False),
        httpx.Client(transport=transport) as client,
        llmcost.context(tenant="acme"),
    ):
        assert client.post(URL, json=body()).status_code == 200
    Path("llmcost.toml").write_text(
        '[[budgets]]\nname = "tenants"\nscope = "tenant"\nmonthly = 0.002\n', encoding="utf-8"
    )
    (acme,) = outlooks("--budget", "tenants")
    assert (acme["name"], acme["window"]) == ("acme", "monthly")
    assert acme["spent"] == pytest.approx(0.00065)
    assert acme["total"]["risk_score"] > 0.99
    assert run("budget", "set", "tenants", "monthly", "9000")[0] == 0
    (acme,) = outlooks("--budget", "tenants")
    assert acme["limit"] == 9000
    assert acme["total"]["risk_score"] < 0.01


def test_a_ledger_that_knows_nothing_leaves_it_to_the_store(ledger: str) -> None:
    filled(Path.cwd() / ".llmcost", calls(20))
    (week,) = outlooks("--horizon", "7")
    assert week["total"]["mean"] == pytest.approx(7 * 24 * HOURLY, rel=0.15)
    assert isinstance(llmcost.forecast(), CostPrediction)
    assert run("anomalies")[:2] == (0, "No anomalies.\n")


def test_a_store_that_is_named_is_read_by_itself(ledger: str) -> None:
    sent(ledger, calls(20))
    store = filled(Path.cwd() / ".llmcost", calls(3)).root
    assert outlooks("--store", str(store))[0]["not_enough_history"]["needed"] == 7
    assert run("anomalies", "--store", str(store))[:2] == (0, "No anomalies.\n")


@pytest.mark.parametrize("arguments", [("forecast",), ("forecast", "--budget", "all"), ("anomalies",)])
def test_a_ledger_that_cannot_be_reached_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMCOST_LEDGER", "redis://127.0.0.1:1/0?wait_ms=20")
    Path("llmcost.toml").write_text('[[budgets]]\nname = "all"\nmonthly = 5\n', encoding="utf-8")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("llmcost: ledger unreachable")
    assert err.count("\n") == 1
