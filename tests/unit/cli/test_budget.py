"""``llmcost budget``: status, set, reset and simulate over a real ledger and store."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from factories import a_call
from stores import filled

from llmcost import config
from llmcost.budgeting import WAITING, controller_of
from llmcost.calls import Attribution, Call
from llmcost.cli import main
from llmcost.control import Admission, Controller, Quote
from llmcost.control.controller import LOOK_EVERY_S
from llmcost.control.ledger import Option, Reservation
from llmcost.control.ledger.journal import Journal, Pending
from llmcost.runtime import price_book

NANO = 10**9
SETTINGS = """
ledger = "sqlite:.llmcost/ledger.db?wait_ms=20000"

[[budgets]]
name = "service"
daily = 10
mode = "observe"

[[budgets]]
name = "users"
scope = "user"
daily = 2
rolling = { "6h" = 1 }
timezone = "Asia/Tokyo"
fallbacks = { "gpt-4o" = ["gpt-4o-mini"] }

[budgets.overrides.vip]
daily = 50
"""
numbers = count()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "llmcost.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / ".llmcost").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(["budget", *arguments], out, err), out.getvalue(), err.getvalue()


def program(place: Path) -> Controller:
    """What runs beside the command line: an engine of its own over the same ledger."""
    settings = config.load()
    return controller_of(settings, price_book(settings), place / ".llmcost")


def spend(running: Controller, usd: float, user: str, *, settle: bool = True, later: float = 0.0) -> bool:
    """Make a call, if the budgets let it pass; ``later`` is how many seconds later it begins."""
    nano = round(usd * NANO)
    admission = Admission(
        f"{user}{next(numbers)}", time.time() + later, "gpt-4o-mini", {"user": user}, Quote("priced", nano, nano)
    )
    verdict = running.admit(admission)
    if verdict.action != "block" and settle:
        running.settle(verdict, nano)
    return verdict.action != "block"


def standings(*arguments: str) -> dict[tuple[str, str, str], Any]:
    rows = json.loads(run("status", "--json", *arguments)[1])["standings"]
    return {(row["budget"], row["value"], row["window"]): row for row in rows}


def test_status_shows_bars_amounts_and_when_it_begins_anew(place: Path) -> None:
    running = program(place)
    spend(running, 0.5, "u1")
    spend(running, 0.25, "u1", settle=False)
    spend(running, 0.1, "\x1b2")
    code, out, err = run("status")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "service  mode observe, UTC"
    assert "users  by user, mode block, Asia/Tokyo" in lines
    assert "$0.50 + $0.25 held of $2.00" in out
    assert "bit by bit" in out
    assert [line.split()[0] for line in lines if "daily" in line] == ["all", "u1", "\\x1b2", "vip"]
    assert max(map(len, lines)) <= 80
    turn = standings()["users", "u1", "daily"]["resets_at"]
    assert turn.endswith("T00:00:00+09:00")
    assert turn[8:10] in next(line for line in lines if "u1 " in line)


def test_a_limit_that_is_reached_is_a_finding(place: Path) -> None:
    running = program(place)
    for user in range(12):
        spend(running, 0.01 + user / 100, f"u{user:02}")
    assert run("status")[0] == 0
    spend(running, 0.88, "u11")
    assert not spend(running, 0.1, "u11")
    code, out, _ = run("status")
    assert code == 1
    assert "u11" in out
    assert "u00" not in out
    assert "6 rows not shown" in out
    rows = standings("--only", "user=u11")
    assert {key[1] for key in rows} == {"u11"}
    rolling = rows["users", "u11", "rolling 6h"]
    assert (rolling["limit"], rolling["spent"], rolling["used_ratio"]) == (1.0, 1.0, 1.0)
    assert len(standings()) == 1 + 2 * 13
    assert run("status", "--all")[1].count("daily") == 1 + 13


def test_set_lets_calls_pass_and_none_takes_it_back(place: Path) -> None:
    running, later = program(place), LOOK_EVERY_S
    begun = -4 * later  # so that no call begins after the command's own time, which may be in another slot
    assert spend(running, 1.0, "u1", later=begun)
    code, out, err = run("set", "users", "6h", "5", "--for", "u1")
    assert (code, err) == (0, "")
    assert out == "budget 'users' of user 'u1', rolling 6h: $5.00. All programs obey it within 5 seconds.\n"
    assert spend(running, 0.1, "u1", later=begun + later)
    assert not spend(running, 1.05, "u2", later=begun + later)
    assert "$1.10 of $5.00 (set)" in run("status")[1]
    code, out, _ = run("set", "users", "6h", "none", "--for", "u1")
    assert "$1.00 again, as in the settings" in out
    assert not spend(running, 0.1, "u1", later=begun + 2 * later)
    assert run("set", "users", "6h", "3")[0] == 0
    assert spend(running, 1.05, "u2", later=begun + 3 * later)


def test_set_gives_limits_that_the_settings_do_not_have(place: Path) -> None:
    running = program(place)
    assert run("set", "users", "calls", "2")[1].startswith("budget 'users', calls: 2 calls.")
    assert [spend(running, 0.1, "u1") for _ in range(3)] == [True, True, False]
    run("set", "users", "monthly", "0", "--for", "vip")
    assert not spend(program(place), 0.1, "vip")
    found = standings("--only", "user=vip")
    assert [(key[2], row["limit"], row["changed"]) for key, row in found.items()] == [
        ("daily", 50, False),
        ("monthly", 0, True),
        ("rolling 6h", 1, False),
        ("calls", None, True),
    ]


def test_reset_sets_aside_what_is_spent_and_leaves_what_is_held(place: Path) -> None:
    running = program(place)
    spend(running, 1.0, "u1")
    spend(running, 0.5, "u2")
    spend(running, 0.25, "u2", settle=False)
    code, out, err = run("reset", "users", "--for", "u1")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "budget 'users' of user 'u1', daily: $1.00 set aside.",
        "budget 'users' of user 'u1', rolling 6h: $1.00 set aside.",
    ]
    assert spend(running, 1.0, "u1")
    aside = json.loads(run("reset", "users", "--window", "daily", "--json")[1])
    assert {(row["value"], row["spent"]) for row in aside} == {("u1", 1), ("u2", 0.5)}
    left = {key: (row["spent"], row["held"], row["calls"]) for key, row in standings().items() if key[1] != "vip"}
    assert left == {
        ("service", "", "daily"): (2.5, 0.25, 4),
        ("users", "u1", "daily"): (0, 0, 0),
        ("users", "u1", "rolling 6h"): (1, 0, 1),
        ("users", "u2", "daily"): (0, 0.25, 1),
        ("users", "u2", "rolling 6h"): (0.5, 0.25, 2),
    }
    assert run("reset", "service")[1] == "budget 'service', daily: $2.50 set aside.\n"
    assert run("reset", "users", "--for", "nobody")[1] == "budget 'users' of user 'nobody': nothing was spent.\n"


def test_what_waits_for_the_ledger_is_told(place: Path) -> None:
    journal = Journal(place / ".llmcost" / WAITING)
    journal.add(Pending(Reservation("a", 0, Option((), ()), ()), 5))
    code, out, _ = run("status")
    assert code == 0
    assert "1 call not booked yet: the ledger could not be reached" in out


def test_a_ledger_that_cannot_be_read_is_a_failure(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / ".llmcost" / "ledger.db").write_bytes(b"no database" * 900)
    code, out, err = run("status")
    assert (code, out) == (2, "")
    assert "ledger damaged: ledger.db" in err
    monkeypatch.setenv("LLMCOST_LEDGER", "redis://127.0.0.1:9/0?wait_ms=50")
    code, _, err = run("set", "service", "daily", "1")
    assert (code, err) == (2, "llmcost: ledger unreachable: ConnectionError\n")


def test_there_is_nothing_to_show_without_budgets_or_in_the_memory_of_a_program(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMCOST_LEDGER", "memory://")
    assert "memory:// is inside the program" in run("status")[2]
    (place / "llmcost.toml").write_text("", encoding="utf-8")
    assert "budgets: none is set" in run("status")[2]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("set", "nobody", "daily", "1"), "no budget 'nobody'; known: service, users"),
        (("set", "user", "daily", "1"), "did you mean 'users'?"),
        (("set", "users", "dayly", "1"), "window: 'dayly' is none of hourly"),
        (("set", "users", "daily", "much"), "limit: 'much' is not an amount of money"),
        (("set", "users", "daily", "-1"), "-1"),
        (("set", "service", "daily", "1", "--for", "u1"), "--for: budget 'service' is about all calls"),
        (("reset", "service", "--for", "u1"), "--for: budget 'service' is about all calls"),
        (("reset", "users", "--window", "never"), "window: 'never' is none"),
        (("status", "--only", "u1"), "--only: 'u1' is not SCOPE=VALUE"),
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
