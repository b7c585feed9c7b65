"""``llmcost budget``: status, set, reset and simulate over a real ledger and store."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import a_call
from stores import filled

from llmcost import config
from llmcost.budgeting import controller_of
from llmcost.calls import Attribution, Call
from llmcost.cli import main
from llmcost.control import Admission, Controller, Quote
from llmcost.runtime import price_book

NANO = 10**9
SETTINGS = """
[[budgets]]
name = "service"
daily = 10
mode = "observe"

[[budgets]]
name = "users"
scope = "user"
daily = 2
rolling = { "6h" = 1 }
fallbacks = { "gpt-4o" = ["gpt-4o-mini"] }

[budgets.overrides.vip]
daily = 50
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "llmcost.toml").write_text(SETTINGS)
    (tmp_path / ".llmcost").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(["budget", *arguments], out, err), out.getvalue(), err.getvalue()


def engine(place: Path) -> Controller:
    settings = config.load()
    return controller_of(settings, price_book(settings), place / ".llmcost")


def spend(place: Path, usd: float, user: str) -> str:
    controller = engine(place)
    now = time.time()
    quote = Quote("priced", int(usd * NANO), int(usd * NANO))
    verdict = controller.admit(Admission(f"{user}{now}", now, "gpt-4o-mini", {"user": user}, quote))
    controller.settle(verdict, int(usd * NANO))
    controller.close()
    return verdict.action


def test_status_shows_what_was_spent_and_when_it_begins_anew(place: Path) -> None:
    spend(place, 0.5, "u1")
    code, out, _ = run("status", "--only", "user=u1", "--tz", "UTC")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["users", "user", "u1", "daily"] in [line[:4] for line in lines]
    assert "25.0%" in out
    assert "$0.5000" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_limit_that_is_reached_is_a_finding(place: Path) -> None:
    spend(place, 1.0, "u1")
    code, out, _ = run("status", "--only", "user=u1", "--json")
    assert code == 1
    rows = json.loads(out)
    (rolling,) = [row for row in rows if row["window"] == "rolling 6h" and row["value"] == "u1"]
    assert (rolling["limit"], rolling["spent"], rolling["used_ratio"]) == (1.0, 1.0, 1.0)
    assert spend(place, 0.1, "u1") == "block"


def test_set_lets_calls_pass_and_none_takes_it_back(place: Path) -> None:
    spend(place, 1.0, "u1")
    assert run("set", "users", "6h", "5", "--for", "u1")[0] == 0
    assert spend(place, 0.1, "u1") != "block"
    assert spend(place, 1.05, "u2") == "block"
    assert run("set", "users", "6h", "none", "--for", "u1")[0] == 0
    assert spend(place, 0.1, "u1") == "block"
    assert run("set", "users", "6h", "3")[0] == 0
    assert spend(place, 1.05, "u2") != "block"


def test_reset_begins_anew_for_one_value(place: Path) -> None:
    spend(place, 1.0, "u1")
    spend(place, 1.0, "u2")
    code, out, _ = run("reset", "users", "--for", "u1")
    assert (code, out) == (0, "users: 2 windows begun anew.\n")
    assert spend(place, 0.1, "u1") != "block"
    assert spend(place, 0.1, "u2") == "block"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("set", "nobody", "daily", "1"), "nobody"),
        (("set", "users", "weekly", "1"), "weekly"),
        (("set", "users", "daily", "much"), "much"),
        (("set", "users", "daily", "-1"), "-1"),
        (("set", "service", "daily", "1", "--for", "u1"), "--for"),
        (("status", "--only", "u1"), "--only"),
        (("simulate", "--policy", "gone.toml"), "gone.toml"),
    ],
)
def test_faults_are_one_line_that_names_them(place: Path, arguments: tuple[str, ...], named: str) -> None:
    filled(place / ".llmcost", [a_call(1)])
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert named in err
    assert len(err.strip().splitlines()) == 1


def calls() -> Iterator[Call]:
    now = time.time() - 30 * 600
    for number in range(30):
        about = Attribution(label="chat", label_source="map", user_id=f"u{number % 2}")
        model = "gpt-4o" if number % 2 else "gpt-4o-mini"
        started = int((now + number * 60) * NANO)
        yield a_call(number, started_ns=started, cost=0.3, request_model=model, attribution=about)


def test_simulate_says_who_would_have_been_refused(place: Path) -> None:
    filled(place / ".llmcost", calls())
    code, out, _ = run("simulate", "--json")
    assert code == 1
    found = json.loads(out)
    assert sum(found["calls"].values()) == 30
    assert found["spent_then"] == 30 * 300_000_000
    (u0,) = [row for row in found["affected"] if (row["budget"], row["value"]) == ("users", "u0")]
    # $1 in six hours lets three calls of $0.30 pass, the other twelve of this user are refused.
    assert u0["calls"]["block"] == 12
    assert u0["saved"] == 12 * 300_000_000
    code, out, _ = run("simulate")
    assert "refused" in out
    assert max(map(len, out.splitlines())) <= 80


def test_simulate_takes_another_policy(place: Path) -> None:
    filled(place / ".llmcost", calls())
    (place / "policy.toml").write_text('[[budgets]]\nname = "all"\ndaily = 1000\n')
    code, out, _ = run("simulate", "--policy", "policy.toml", "--json")
    assert code == 0
    assert json.loads(out)["calls"]["allow"] == 30
