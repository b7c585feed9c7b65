"""Old usage logs: each form, each bad row, and that a second import adds nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from factories import a_call
from stores import filled

from llmcost.cli import main

Row = Mapping[str, Any]

LITELLM: Row = {
    "request_id": "chatcmpl-9", "call_type": "acompletion", "api_key": "hash", "spend": 0.0125,
    "total_tokens": 1200, "prompt_tokens": 1000, "completion_tokens": 200, "startTime": "2026-03-01T10:00:00Z",
    "endTime": "2026-03-01T10:00:02Z", "model": "gpt-5-mini", "custom_llm_provider": "openai", "user": "ops",
    "end_user": "u1", "session_id": "s1", "team_id": "search", "metadata": {"a": 1}, "request_tags": ["x"],
}  # fmt: skip
OPENAI = """start_time,end_time,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens,project_id
1772359200,1772445600,10,gpt-5-mini,10000,2000,0,proj_1
1772359200,1772445600,0,gpt-5-mini,0,0,0,proj_2
"""


def answer(*arguments: str) -> tuple[int, Any]:
    """The exit code and the JSON that a command prints."""
    out = io.StringIO()
    code = main([*arguments, "--json"], stdout=out)
    return code, json.loads(out.getvalue())


def imported(store: Path, *arguments: str) -> tuple[int, int, int, list[int]]:
    """Exit code, new calls, repeated calls, and the lines of bad rows."""
    code, told = answer("import", *arguments, "--store", str(store))
    return code, told["calls"], told["repeated"], [bad["line"] for bad in told["bad"]]


def total(store: Path, *options: str) -> dict[str, Any]:
    return answer("report", *options, "--store", str(store))[1]["total"]  # type: ignore[no-any-return]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / ".llmcost"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_of_llmcost_comes_back_as_it_was(tmp_path: Path, store: Path, form: str) -> None:
    calls = [a_call(id=f"call-{number}", attribution=a_call().attribution) for number in range(5)]
    old = filled(tmp_path / "old", calls)
    file = tmp_path / "out"
    assert main(["export", "--format", form, "--out", str(file), "--store", str(old.root)]) == 0
    assert imported(store, str(file)) == (0, 5, 0, [])
    assert imported(store, str(file)) == (0, 0, 5, [])
    before, after = total(old.root), total(store)
    assert {name: after[name] for name in ("calls", "nano", "input_tokens", "output_tokens", "unpriced")} == {
        name: before[name] for name in ("calls", "nano", "input_tokens", "output_tokens", "unpriced")
    }
    if form == "jsonl":
        again = tmp_path / "again"
        assert main(["export", "--format", form, "--out", str(again), "--store", str(store)]) == 0
        assert again.read_text(encoding="utf-8") == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["list", "lines", "csv"])
def test_spend_logs_of_litellm(tmp_path: Path, store: Path, form: str) -> None:
    rows = [LITELLM, {**LITELLM, "request_id": "chatcmpl-10", "spend": 0.5, "end_user": ""}]
    head = ",".join(LITELLM)
    cells = "\n".join(",".join('"' + str(value).replace('"', "'") + '"' for value in row.values()) for row in rows)
    text = {"list": json.dumps(rows), "lines": "\n".join(map(json.dumps, rows)), "csv": f"{head}\n{cells}\n"}[form]
    file = tmp_path / "spend"
    file.write_text(text, encoding="utf-8")
    assert imported(store, str(file), "--label", "proxy") == (0, 2, 0, [])
    assert imported(store, str(file)) == (0, 0, 2, [])
    assert total(store)["nano"] == 512_500_000
    by_user = answer("report", "--by", "user", "--store", str(store))[1]["rows"]
    assert {row["key"]: row["nano"] for row in by_user} == {"u1": 12_500_000, "ops": 500_000_000}
    for key, value in (("team", "search"), ("import", "litellm"), ("label", "proxy"), ("day", "2026-03-01")):
        rows_by = answer("report", "--by", key, "--tz", "UTC", "--store", str(store))[1]["rows"]
        assert [row["key"] for row in rows_by] == [value]


def test_the_usage_export_of_openai_is_priced(tmp_path: Path, store: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(OPENAI, encoding="utf-8")
    assert imported(store, str(file)) == (0, 2, 0, [])
    assert imported(store, str(file)) == (0, 0, 2, [])
    assert total(store)["nano"] == round((10_000 * 0.25 + 2_000 * 2) * 1000)
    assert answer("report", "--store", str(store))[1]["trust"]["estimated"] == 1


def test_any_csv_with_its_columns_named(tmp_path: Path, store: Path) -> None:
    file = tmp_path / "mine.csv"
    row = "2026-03-01,summaries,gpt-5-mini,0.25,acme\n"
    file.write_text("day,feature,engine,dollars,customer\n" + row + row, encoding="utf-8")
    names = ("day=started", "feature=label", "engine=model", "dollars=cost_usd", "customer=context.customer")
    options = [word for name in names for word in ("--map", name)]
    assert imported(store, str(file), *options) == (0, 2, 0, []), "two equal rows are two calls"
    assert imported(store, str(file), *options) == (0, 0, 2, [])
    assert total(store, "--only", "customer=acme", "--label", "summaries")["nano"] == 500_000_000


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,model,input_tokens,output_tokens,cost\n2026-03-01T10:00:00Z,gpt-5-mini,1000,200,0.00065\n",
        "Time;Model;Prompt Tokens;Completion-Tokens\n2026-03-01 10:00:00;gpt-5-mini;1000;200\n",
        "created_at\tmodel\tprovider\ttokens_in\ttokens_out\n1772359200\tgpt-5-mini\tOpenAI\t1000\t200\n",
        "date,vendor,model_name,prompt_tokens,tokens_out,spend\n2026-03-01,Some Shop,gpt-5-mini,1000,200,$0.00065\n",
        "date,vendor,model_name,prompt_tokens,completion_tokens\n2026-03-01,Some Shop,gpt-5-mini,1000,200\n",
        '{"created": 1772359200, "model": "gpt-5-mini", "prompt_tokens": 1000, "completion_tokens": 200}\n',
        '[{"time": "2026-03-01", "model_id": "gpt-5-mini", "input": 1000, "output": 200}]',
    ],
)
def test_columns_with_obvious_names_need_no_map(tmp_path: Path, store: Path, text: str) -> None:
    file = tmp_path / "log"
    file.write_text(text, encoding="utf-8")
    assert imported(store, str(file)) == (0, 1, 0, [])
    assert (total(store)["nano"], total(store)["input_tokens"], total(store)["output_tokens"]) == (650_000, 1000, 200)


def test_a_map_adds_to_the_obvious_names_and_wins_over_them(tmp_path: Path, store: Path) -> None:
    file, out = tmp_path / "log.csv", io.StringIO()
    file.write_text("date,model,cost,list_price,team,note\n2026-03-01,m,1,2,search,x\n", encoding="utf-8")
    options = ("--map", "list_price=cost_usd", "--map", "team=context.team", "--store", str(store))
    assert main(["import", str(file), *options], stdout=out) == 0
    assert out.getvalue() == "1 call imported.\nNot used: cost, note. --map COLUMN=context.KEY keeps a column.\n"
    assert total(store, "--only", "team=search")["nano"] == 2 * 10**9


def test_a_row_of_another_form_among_calls_is_a_bad_row(tmp_path: Path, store: Path) -> None:
    file = tmp_path / "log"
    file.write_text('{"time": 1772359200, "cost": 1}\n{"a": 1}\n{"time": 1772359201, "cost": 1}\n', encoding="utf-8")
    assert imported(store, str(file)) == (1, 2, 0, [2])


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("cost", "cost_usd: not a number: 'cost'"), ("1,5", "cost_usd: not a number: '1,5'"),
        ("-1", "cost_usd: not an amount: '-1'"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_told_by_its_field_and_value(tmp_path: Path, store: Path, cell: str, why: str) -> None:
    file = tmp_path / "log.csv"
    file.write_text(f'time;cost\n2026-03-01;"{cell}"\nsoon;1\n', encoding="utf-8")
    told = answer("import", str(file), "--store", str(store))[1]["bad"]
    assert [bad["why"] for bad in told] == [why, "neither an ISO time nor seconds since 1970: 'soon'"]


@pytest.mark.parametrize(
    ("text", "lines", "good"),
    [
        (
            "started,id,cost_usd\n2026-03-01,a,1\nsoon,b,1\n2026-03-01,c,much\n2026-03-01,d\n2026-03-01,e,1\n",
            [3, 4, 5],
            2,
        ),
        (
            "started,id,cost_usd\n2026-03-01,a,-1\n2026-03-01,b,nan\n2026-03-01,c,inf\n,d,1\n1e30,e,1\n",
            [2, 3, 4, 5, 6],
            0,
        ),
        ('{"started": 1772359200, "id": "a", "cost_usd": 1}\n{broken\n5\n[]\n\n', [2, 3, 4], 1),
        ('{"started_ns": "x"}\n{"started_ns": 1, "id": "a"}\n{"note": "shortened"}\n', [1, 2], 0),
    ],
)
def test_bad_rows_are_named_by_their_line_and_the_others_are_in(
    tmp_path: Path, store: Path, text: str, lines: list[int], good: int
) -> None:
    file = tmp_path / "log"
    file.write_text(text, encoding="utf-8")
    assert imported(store, str(file)) == (1, good, 0, lines)


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("a,b\n1,2\n", (), "no column says when a call was (such as started, timestamp, time,"),
        ("a,b\n", (), "there are a, b; name it with --map COLUMN=started"),
        ("time,b\n1,2\n", (), "no column says what it cost or used (such as cost_usd, cost, input_tokens,"),
        ('{"a": 1}\n', (), "no column says when"),
        ("".join(f"column_{n},".ljust(90, "x") for n in range(90)) + "\n", (), "and 85 more"),
        (
            "a,b\n1,2\n",
            ("--map", "a=started", "--map", "nosuch=model"),
            "--map nosuch=model: no such column; there are a, b",
        ),
        ("", (), "nothing in it"),
        ('{"a":\n1}\n', (), "neither JSON lines nor a JSON list"),
        ("\ufeff\udcff", (), "not text in UTF-8"),
        ("a,b\n1,2\n", ("--map", "a=colour"), "--map a=colour: no such field"),
        ("a,b\n1,2\n", ("--map", "a"), "--map: 'a' is not COLUMN=FIELD"),
        ("a,b\n1,2\n", ("--map", "a=model"), "no column says when"),
        ("[broken", (), "not JSON"),
    ],
)
def test_what_cannot_be_imported_at_all_is_one_line(
    tmp_path: Path, store: Path, text: str, options: tuple[str, ...], told: str
) -> None:
    file, err = tmp_path / "log", io.StringIO()
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert main(["import", str(file), *options, "--store", str(store)], stderr=err) == 2
    assert told in err.getvalue()
    assert err.getvalue().count("\n") == 1
    assert len(err.getvalue().replace(str(file), "")) < 450
    assert not store.exists()


def test_a_dry_run_writes_nothing(tmp_path: Path, store: Path) -> None:
    file, out = tmp_path / "usage.csv", io.StringIO()
    file.write_text(OPENAI, encoding="utf-8")
    with redirect_stdout(out):
        assert main(["import", str(file), "--dry-run", "--store", str(store)]) == 0
    assert out.getvalue() == "2 calls would be read.\n"
    assert not store.exists()
