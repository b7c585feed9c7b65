"""The main job, as a user runs it: ``llmcost demo``, whole programs in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmcost.cli import demo
from llmcost.errors import MissingExtra

pytestmark = pytest.mark.e2e

# Added up by hand from the usage in examples/provider_server/bodies and the providers' list prices of late 2026, in USD
# per million tokens (input, cached input, output): gpt-5 1.25, 0.125, 10; gpt-5-mini 0.25, 0.025, 2; gpt-5-nano 0.05,
# 0.005, 0.4; gpt-4.1-mini 0.4, -, 1.6; claude-sonnet-4-5 3, 0.3 (write 3.75), 15; claude-haiku-4-5 1, -, 5;
# text-embedding-3-small 0.02.
CALLS_AND_NANO_DOLLARS = {
    "classification": (4, 35_400),
    "content_generation": (1, 1_872_500),
    "embedding": (8, 4_340),
    "extraction": (5, 90_950),
    "question_answering": (5, 13_042_500),
    "rag_query": (2, 40_966_000),
    "sentiment_analysis": (5, 223_000),
    "summarization": (4, 4_299_250),
    "teaser": (4, 102_800),
}


def llmcost(*arguments: str, store: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmcost", *arguments]
    environment = {**os.environ, "LLMCOST_STORE": str(store), "NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    store = tmp_path_factory.mktemp("store")
    done = llmcost("demo", "--store", str(store), store=store)
    assert done.returncode == 0, done.stdout + done.stderr
    return store, done.stdout


def rows(store: Path, by: str) -> dict[str, Any]:
    done = llmcost("report", "--run", "last", "--by", by, "--json", store=store)
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["key"]: row for row in json.loads(done.stdout)["rows"]}


def test_every_part_of_the_program_has_its_exact_cost(run: tuple[Path, str]) -> None:
    found = rows(run[0], "label")
    estimated = found.pop("caption")
    assert {label: (row["calls"], row["nano"]) for label, row in found.items()} == CALLS_AND_NANO_DOLLARS
    assert estimated["calls"] == 1
    true = 15 * 400 + 10 * 1_600  # what the tokens of question and answer would have cost
    assert true / 2 < estimated["nano"] < true * 2


def test_both_providers_are_named(run: tuple[Path, str]) -> None:
    assert set(rows(run[0], "provider")) == {"openai", "anthropic"}


def test_it_prints_the_commands_that_a_user_would_type(run: tuple[Path, str]) -> None:
    assert "$ llmcost scan .\n" in run[1]
    assert "19 functions that reach a model, in 9 files" in run[1]
    assert "$ llmcost run -- python -m newsroom\n" in run[1]
    assert "$ llmcost report --run last\n" in run[1]
    assert "0% untracked" in run[1]


def test_nothing_is_left_in_the_example_folder(run: tuple[Path, str]) -> None:
    assert run[1]
    assert not (demo.examples_folder() / "newsroom" / ".llmcost").exists()


def test_the_short_program_runs_without_sdks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PROGRAMS", demo.PROGRAMS[1:])
    assert demo.run_demo(tmp_path) == 0
    found = rows(tmp_path, "label")
    assert {label: row["calls"] for label, row in found.items()} == {
        "summarization": 2,
        "embedding": 2,
        "question_answering": 2,
    }


def test_where_nothing_can_run_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PROGRAMS", (demo.Program("newsroom", ("no_such_package",)),))
    with pytest.raises(MissingExtra, match=r"llmcost-otel\[demo\]"):
        demo.choose_program()


def test_the_readme_shows_what_the_demo_prints() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "make_readme.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
