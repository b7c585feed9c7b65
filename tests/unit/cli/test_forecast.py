"""``llmcost forecast`` and ``llmcost anomalies``, from the store alone and beside a ledger."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import a_call
from stores import filled

from llmcost.calls import Attribution, Call
from llmcost.cli import main
from llmcost.cli.anomalies import together, up_to_date
from llmcost.control.feed import open_feed
from llmcost.insight import GLOBAL, Anomaly, Change, Profile, Scope, WatchSettings
from llmcost.processors.foresight import Foresight
from llmcost.processors.sums import CallSums
from llmcost.processors.tray import FOLDER, Tray

DAY = 86_400


def calls(days: float, dear_for_s: float = 0.0) -> Iterator[Call]:
    """Four calls an hour until now, a label apart; at the end *summarization* uses a model six times as dear."""
    now = time.time()
    for number in range(int(days * 96)):
        started = now - 900 * (int(days * 96) - number) + 5
        label = "summarization" if number % 2 else "chat\x1b[31m"
        dear = started > now - dear_for_s and label == "summarization"
        yield a_call(
            number,
            started_ns=int(started * 1e9),
            cost=0.06 if dear else 0.01,
            request_model="gpt-5.4" if dear else "gpt-5-mini",
            attribution=Attribution(label=label, label_source="map", user_id="u1"),
        )


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, width: int = 80) -> tuple[int, str, str]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", str(width))
    out, err = io.StringIO(), io.StringIO()
    code = main(list(arguments), out, err)
    return code, out.getvalue(), err.getvalue()


def test_the_month_in_words_and_a_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / ".llmcost", calls(30))
    code, out, err = run(tmp_path, monkeypatch, "forecast", "--tz", "UTC")
    assert (code, err) == (0, "")
    assert "It will end at $" in out
    assert "80 %" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_apart_by_label_and_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / ".llmcost", calls(30))
    code, out, _ = run(tmp_path, monkeypatch, "forecast", "--by", "label", "--tz", "UTC")
    assert code == 0
    assert "summarization" in out
    assert "\x1b" not in out
    code, out, _ = run(tmp_path, monkeypatch, "forecast", "--json", "--user", "u1", "--horizon", "7", "--tz", "UTC")
    (one,) = json.loads(out)["outlooks"]
    assert code == 0
    assert one["total"]["mean"] == pytest.approx(7 * 96 * 0.01, rel=0.1)
    assert one["total"]["lower"] < one["days"][-1]["lower80"]
    code, out, _ = run(tmp_path, monkeypatch, "forecast", "--horizon", "7", "--tz", "UTC")
    assert "It will cost $" in out
    assert "Spent so far" not in out


def test_a_short_history_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / ".llmcost", calls(3))
    code, out, _ = run(tmp_path, monkeypatch, "forecast", "--tz", "UTC")
    assert code == 0
    assert "Not enough history to say more" in out
    assert "median" not in out
    _, out, _ = run(tmp_path, monkeypatch, "forecast", "--json", "--tz", "UTC")
    (one,) = json.loads(out)["outlooks"]
    assert one["total"] is None
    assert one["not_enough_history"]["needed"] == 7


def test_a_spend_of_which_nothing_is_known_is_not_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    filled(tmp_path / ".llmcost", (a_call(n, started_ns=now - n * DAY * 10**9, cost=None) for n in range(20)))
    code, out, _ = run(tmp_path, monkeypatch, "forecast", "--json", "--tz", "UTC")
    (one,) = json.loads(out)["outlooks"]
    assert (code, one["spent"], one["total"], one["days"]) == (0, None, None, [])
    assert "Spent so far unknown." in run(tmp_path, monkeypatch, "forecast", "--tz", "UTC")[1]
    assert "unknown" in run(tmp_path, monkeypatch, "forecast", "--by", "label", "--tz", "UTC")[1]
    assert run(tmp_path, monkeypatch, "forecast", "--by", "user")[1] == "No call of late names a user.\n"
    filled(tmp_path / ".llmcost", [a_call(99, started_ns=now, cost=0.5)])
    _, out, _ = run(tmp_path, monkeypatch, "forecast", "--json", "--tz", "UTC")
    assert json.loads(out)["outlooks"][0]["spent"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "day"), "llmcost: --by: 'day' is none of label, user, model\n"),
        (("--horizon", "soon"), "llmcost: horizon: 'soon' is neither 'month' nor a number of days up to 365\n"),
        (("--budget", "x"), "llmcost: --budget: no budget 'x'; known: none is set\n"),
        (("--label", "a", "--label", "b"), "llmcost: --label: one only; for several apart, --by label\n"),
        (("--tz", "Mars"), "llmcost: --tz: no time zone 'Mars'\n"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    filled(tmp_path / ".llmcost", calls(1))
    code, out, err = run(tmp_path, monkeypatch, "forecast", *arguments)
    assert (code, out, err) == (2, "", told)


def incident(out: str) -> dict[str, Any]:
    found = [one for one in json.loads(out) if one["scope"] == {"kind": "label", "name": "summarization"}]
    assert len(found) == 1
    return dict(found[0])


def test_an_open_incident_is_told_from_the_store_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / ".llmcost", calls(9, dear_for_s=4 * 3600))
    code, out, err = run(tmp_path, monkeypatch, "anomalies", "--json")
    assert (code, err) == (1, "")
    found = incident(out)
    assert found["open"]
    assert found["cause"] == "model"
    assert found["change"] == {"measure": "model", "before": "gpt-5-mini", "after": "gpt-5.4"}
    code, out, _ = run(tmp_path, monkeypatch, "anomalies", width=60)
    assert code == 1
    assert out.startswith("Open: ")
    said = " ".join(out.split())
    assert "label summarization: cost of a call" in said
    assert "\x1b" not in out


def test_an_open_incident_is_told_as_it_stands_now_however_long_ago_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / ".llmcost", calls(9, dear_for_s=4 * 3600))
    code, out, _ = run(tmp_path, monkeypatch, "anomalies", "--json", "--since", "1h")
    assert code == 1
    assert incident(out)["excess"] == pytest.approx(0.05 * 4 * 3600 / 1800, rel=0.35)


def test_an_incident_that_nobody_follows_any_more_is_over() -> None:
    same = Profile(4.0, 0.02, 900.0, 0.0, 0.0, "m")
    change = Change("calls a bucket", 4.0, 40.0)
    first = Anomaly("opened", 1200.0, 600.0, GLOBAL, 1.0, 9.0, 8.0, "medium", "calls", change, same, same)
    (over,) = up_to_date([first], [])
    assert over.event == "closed"
    later = replace(first, event="escalated", timestamp=9000.0, excess=80.0)
    (standing,) = up_to_date([first], [later])
    assert (standing.event, standing.timestamp, standing.excess) == ("opened", 9000.0, 80.0)


def test_the_title_names_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / ".llmcost", calls(3))
    _, out, _ = run(tmp_path, monkeypatch, "forecast", "--label", "summarization", "--user", "u1")
    assert out.startswith("label and user summarization, u1, ")


def test_nothing_is_told_where_all_is_as_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / ".llmcost", calls(9))
    assert run(tmp_path, monkeypatch, "anomalies") == (0, "No anomalies.\n", "")
    assert run(tmp_path, monkeypatch, "anomalies", "--json") == (0, "[]\n", "")


def test_with_a_ledger_the_processes_reports_are_told_and_what_they_left_is_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / ".llmcost"
    filled(store, ())
    feed, sums = open_feed(f"sqlite://{store}/ledger.db"), CallSums()
    everything = list(calls(9, dear_for_s=4 * 3600))
    for call in everything[:-40]:
        sums.add(call)
    Foresight(feed, WatchSettings()).send(sums.drain())
    for call in everything[-40:]:
        sums.add(call)
    Tray(store / FOLDER).leave(sums.drain())
    code, out, _ = run(tmp_path, monkeypatch, "anomalies", "--json")
    assert code == 1
    assert incident(out)["cause"] == "model"
    again = run(tmp_path, monkeypatch, "anomalies", "--json")[1]
    assert [one["incident"] for one in json.loads(again)] == [one["incident"] for one in json.loads(out)]
    assert Tray(store / FOLDER).found() == []


def test_what_happened_at_once_is_told_once_and_by_its_section() -> None:
    same = Profile(4.0, 0.02, 900.0, 0.0, 0.0, "m")
    section = Scope("label", "chat")

    def report(scope: Scope, since: float) -> Anomaly:
        change = Change("calls a bucket", 4.0, 40.0)
        return Anomaly("opened", since + 600, since, scope, 1.0, 9.0, 8.0, "medium", "calls", change, same, same)

    groups = together([report(GLOBAL, 600.0), report(Scope("user", "u1"), 600.0), report(section, 600.0)])
    assert [[one.scope for one in group] for group in groups] == [[section, Scope("user", "u1"), GLOBAL]]
    assert len(together([report(GLOBAL, 600.0), report(section, 1200.0)])) == 2
