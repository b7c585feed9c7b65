"""report, calls, stats, export, prune on a store, as a program would call them."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from factories import a_call, many_calls
from stores import filled

from llmcost.calls import Call, Cost, nano_dollars
from llmcost.cli import main
from llmcost.store.paths import StoreFolder
from llmcost.store.spool import Spool

CALLS = list(many_calls(300, days=10, users=5))


def answer(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(list(arguments), out, err), out.getvalue(), err.getvalue()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreFolder:
    monkeypatch.chdir(tmp_path)
    return filled(tmp_path / ".llmcost", CALLS)


def cost_of(calls: list[Call]) -> int:
    return sum(nano_dollars(call.cost.total) for call in calls if call.cost.total is not None)


@pytest.mark.usefixtures("store")
def test_report_of_a_file_s_worth() -> None:
    code, out, err = answer("report", "--json")
    table = json.loads(out)
    assert (code, err) == (0, "")
    assert table["total"]["nano"] == cost_of(CALLS) == sum(row["nano"] for row in table["rows"])


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "by", ["label", "model", "provider", "user", "file", "function", "type", "day", "run", "status"]
)
def test_report_by_every_dimension_named_in_the_issue(by: str) -> None:
    code, out, _ = answer("report", "--by", by, "--csv", "--tz", "Asia/Kathmandu")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == Decimal(cost_of(CALLS)) / 10**9


@pytest.mark.usefixtures("store")
def test_filters_of_report() -> None:
    wanted = [c for c in CALLS if c.label == "research" and c.request_model == "gpt-5-mini"]
    arguments = ("--label", "research", "--only", "model=gpt-5-mini", "--json")
    total = json.loads(answer("report", *arguments)[1])["total"]
    assert (total["calls"], total["nano"]) == (len(wanted), cost_of(wanted))
    assert json.loads(answer("report", "--run", "last", "--json")[1])["total"]["calls"] == 300
    code, _, told = answer("report", "--run", "nosuch", "--json")
    assert (code, told) == (2, "llmcost: --run: no run 'nosuch'; the last ones are run-1\n")
    day = json.loads(answer("report", "--since", "2026-11-18", "--until", "2026-11-18", "--tz", "UTC", "--json")[1])
    assert (day["since"], day["until"]) == ("2026-11-18T00:00+00:00", "2026-11-19T00:00+00:00")


def test_calls_not_yet_folded_are_in_the_report(store: StoreFolder) -> None:
    spool = Spool(store)
    spool.append(a_call(5000))
    assert json.loads(answer("report", "--json")[1])["total"]["calls"] == 301
    spool.close()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("report", "--by", "nosuch"), "--by"),
        (("report", "--since", "soon"), "--since"),
        (("report", "--until", "later"), "--until"),
        (("report", "--since", "1h", "--until", "2h"), "--until 2h is not after --since 1h"),
        (("export", "--since", "2026-11-02", "--until", "2026-11-01"), "--until"),
        (("calls", "--only", "nosuch=1"), "nosuch"),
        (("report", "--html", "no/such/folder/x.html"), "no/such/folder/x.html"),
        (("export", "--out", "no/such/folder/x.csv"), "--out"),
        (("export", "--format", "xml"), "--format"),
        (("prune", "--keep", "2026-11-01"), "--keep"),
        (("report", "--store", "elsewhere"), "elsewhere"),
        (("calls", "--store", ".llmcost/calls.db"), "--store: .llmcost/calls.db is a file"),
    ],
)
def test_an_error_names_the_option_or_file(arguments: tuple[str, ...], named: str) -> None:
    code, out, err = answer(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err


def test_html_is_written(store: StoreFolder) -> None:
    code, out, err = answer("report", "--html", "r.html")
    assert (code, out) == (0, "")
    assert "r.html" in err
    assert (store.root.parent / "r.html").read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.usefixtures("store")
def test_calls_are_listed_newest_first() -> None:
    found = json.loads(answer("calls", "--limit", "3", "--json")[1])
    assert [call["id"] for call in found] == [call.id for call in CALLS[:-4:-1]]
    assert found[0]["usage"]["input_tokens"] == CALLS[-1].usage.input_tokens
    text = answer("calls", "--limit", "5", "--user", "user-2")[1]
    assert len(text.splitlines()) == 7
    assert text.splitlines()[-1] == "The newest 5 of 57 calls; --limit shows more."
    assert max(map(len, text.splitlines())) <= 80
    assert answer("calls", "--user", "nobody")[1] == "No calls.\n"


@pytest.mark.parametrize("columns", ["80", "120"])
def test_what_went_wrong_with_a_call_is_shown_in_full(
    tmp_path: Path, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    refused = Cost("not_billed")
    failed = [
        a_call(1, cost=refused, error_type="openai.error.ServiceUnavailableError"),
        a_call(2, cost=refused, error_type="429", status_code=429, error_code="insufficient_quota"),
        a_call(3, cost=refused, error_type="rate_limit_error", status_code=429),
        a_call(4, cost=refused, error_type="x" * 100 + "\x1b[31m"),
        a_call(5, cost=refused, error_type="402", status_code=402, budget_action="block", budget_name="day"),
        a_call(6, cost=Cost("partial", 0.25), duration=0.0),
    ]
    folder = filled(tmp_path / "failed", failed)
    text = answer("calls", "--store", str(folder.root))[1]
    for line in (
        "             openai.error.ServiceUnavailableError\n",
        "             HTTP 429 (code insufficient_quota)\n",
        "             rate_limit_error (HTTP 429)\n",
        "             HTTP 402 (refused by budget day)\n",
    ):
        assert line in text
    assert all(call.id[-8:] in text for call in failed)
    assert "".join(text.split()).count("x" * 100 + "\\x1b[31m") == 1
    assert text.count("not billed") == 5
    assert " $0.250~ " in text
    assert " - " in next(line for line in text.splitlines() if "$0.250~" in line), "how long it took is not known"
    assert text.splitlines()[-1].startswith("~ not exact")
    assert max(map(len, text.splitlines())) <= int(columns)


def test_an_old_call_that_is_recorded_late_is_neither_the_newest_nor_of_the_last_run(store: StoreFolder) -> None:
    spool = Spool(store)
    spool.append(a_call(9_000, started_ns=CALLS[0].started_ns - 90 * 86_400 * 10**9, run_id="imported"))
    spool.close()
    assert json.loads(answer("calls", "--limit", "1", "--json")[1])[0]["id"] == CALLS[-1].id
    assert json.loads(answer("report", "--run", "last", "--json")[1])["filters"] == [["run", "run-1"]]


def test_export_as_json_lines_holds_the_whole_records(store: StoreFolder) -> None:
    code, out, _ = answer("export", "--format", "jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["id"] for line in lines] == [call.id for call in CALLS]
    assert lines[0]["attribution"]["site"]["file"] == CALLS[0].attribution.site.file  # type: ignore[union-attr]
    assert store.database.exists()


@pytest.mark.usefixtures("store")
def test_export_as_csv_sums_to_the_report() -> None:
    code, out, _ = answer("export", "--tz", "UTC")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert len(rows) == 300
    total = sum(nano_dollars(float(row["cost_usd"])) for row in rows if row["cost_usd"])
    assert total == cost_of(CALLS)
    assert rows[0]["started"] == datetime.fromtimestamp(CALLS[0].started_ns / 1e9, UTC).isoformat(
        timespec="milliseconds"
    )
    assert not [value for row in rows for value in row.values() if "e-" in value and value[0].isdigit()]


@pytest.mark.usefixtures("store")
def test_an_export_without_calls_has_its_head() -> None:
    code, out, _ = answer("export", "--label", "nosuch")
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("started,id,label,")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_shortened_export_says_so_in_the_file_and_in_the_exit_code(form: str) -> None:
    code, out, err = answer("export", "--format", form, "--limit", "10")
    assert code == 1
    for text in (out.splitlines()[-1], err):
        assert "290 calls of 300 left out" in text
    assert answer("export", "--format", form, "--limit", "300")[0] == 0


@pytest.mark.usefixtures("store")
def test_names_are_no_formulas_in_an_export(tmp_path: Path) -> None:
    folder = filled(tmp_path / "hostile", [a_call(1, label="=cmd()", run_id="@x\n+1")])
    (row,) = csv.DictReader(io.StringIO(answer("export", "--store", str(folder.root))[1]))
    assert (row["label"], row["run"]) == ("'=cmd()", "'@x\\n+1")


@pytest.mark.usefixtures("store")
def test_stats() -> None:
    code, out, _ = answer("stats", "--days", "36500", "--user", "user-1", "--json")
    wanted = [call for call in CALLS if call.attribution.user_id == "user-1"]
    table = json.loads(out)
    assert code == 0
    assert (table["calls"], nano_dollars(table["cost"])) == (len(wanted), cost_of(wanted))
    assert "in 36,500 days of user-1" in answer("stats", "--days", "36500", "--user", "user-1")[1]
    assert "No call has the user 'nobody'; there are user-" in answer("stats", "--user", "nobody")[1]


def test_prune_deletes_what_is_old(store: StoreFolder) -> None:
    code, out, _ = answer("prune", "--keep", "1m", "--json")
    assert code == 0
    left = json.loads(answer("report", "--json")[1])["total"]["calls"]
    assert json.loads(out)["calls"] + left == 300
    assert store.database.exists()


@pytest.mark.usefixtures("store")
def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m llmcost export --store {tmp_path}/.llmcost | head -n 1"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("started,")
    assert done.stderr == ""


def test_a_terminal_s_colour_can_be_switched_off(store: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in answer("report", "--store", str(store.root))[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in answer("report", "--store", str(store.root))[1]


def test_sums_of_calls_whose_cost_is_not_known_are_no_zero_in_stats(tmp_path: Path) -> None:
    folder = filled(tmp_path / "unpriced", [a_call(1, cost=None)])
    asked = ("stats", "--days", "36500", "--store", str(folder.root))
    lines = answer(*asked)[1].splitlines()
    assert lines[0].split()[:2] == ["Cost", "unknown"]
    assert lines[-1].split() == ["A", "day", "unknown", "on", "average"]
    table = json.loads(answer(*asked, "--json")[1])
    assert (table["cost"], table["average"], table["p95"]) == (None, None, None)
    assert (table["by_label"], table["by_model"]) == ({"summarization": None}, {"gpt-5-mini": None})
    assert list(table["by_day"].values()) == [None]


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (("calls", "--json"), lambda text: [call["cost"]["total"] for call in json.loads(text)]),
        (("export", "--json"), lambda text: [json.loads(line)["cost"]["total"] for line in text.splitlines()]),
        (("export",), lambda text: [row["cost_usd"] or None for row in csv.DictReader(io.StringIO(text))]),
        (("report", "--csv"), lambda text: [row["cost_usd"] or None for row in csv.DictReader(io.StringIO(text))]),
        (("report", "--json"), lambda text: [json.loads(text)["total"][name] for name in ("usd", "nano", "share")]),
    ],
)
def test_an_unknown_cost_is_null_wherever_a_program_reads_it(
    tmp_path: Path, command: tuple[str, ...], where: Callable[[str], list[object]]
) -> None:
    folder = filled(tmp_path / "unpriced", [a_call(1, cost=None)])
    assert set(where(answer(*command, "--store", str(folder.root))[1])) == {None}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "command",
    [
        ("import", "nosuch.csv"),
        ("prices", "update", "--from", "nosuch.csv"),
        ("budget", "simulate", "--policy", "nosuch.csv"),
        ("export", "--out", "nosuch.csv/out.csv"),
        ("report", "--html", "nosuch.csv/out.html"),
    ],
)
def test_a_file_that_cannot_be_opened_is_named_once_and_without_errno(command: tuple[str, ...]) -> None:
    code, out, err = answer(*command)
    assert (code, out) == (2, "")
    assert err.endswith("No such file or directory\n")
    assert err.count("nosuch.csv") == 1
    assert "Errno" not in err
