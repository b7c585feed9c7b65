"""What a terminal shows that has ASCII only: signs of ours are no escapes, whatever the command."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from factories import a_call, many_calls
from stores import filled

from llmcost.calls import Attribution
from llmcost.cli import main
from llmcost.cli.commands import COMMANDS
from llmcost.cli.plain_ascii import ERRORS

LONG = "a-section-whose-name-is-longer-than-any-column-of-a-narrow-terminal-has-room-for-" * 2
NOW_NS = int((datetime.now(UTC) - timedelta(days=20)).timestamp()) * 10**9
SETTINGS = """
[[budgets]]
name = "a-budget-whose-name-is-longer-than-any-column-of-a-narrow-terminal-has-room-for"
monthly = 100
"""


def answer(*arguments: str) -> tuple[int, str]:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    code = main(list(arguments), out, out)
    out.flush()
    return code, raw.getvalue().decode("ascii")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ascii")
    about = Attribution(label=LONG, label_source="map", user_id=LONG, session_id=LONG, context={"task": LONG})
    calls = list(many_calls(400, days=25, users=3))
    first = calls[0].started_ns
    moved = [replace(call, started_ns=call.started_ns - first + NOW_NS) for call in calls]
    dear = [a_call(10**6 + n, started_ns=NOW_NS, attribution=about, request_model=LONG) for n in range(9)]
    filled(root / ".llmcost", [*moved, *dear])
    (root / "llmcost.toml").write_text(SETTINGS, encoding="utf-8")
    (root / "app.py").write_text(
        "from openai import OpenAI\ndef f():\n    OpenAI().chat.completions.create()\n", "utf-8"
    )
    return root


ASKED = (
    "report", "report --by user", "report --by model", "report --by day", "report --by task", "report --only user=x",
    "calls", "calls --limit 5", "stats", "forecast", "forecast --by label", "forecast --by user", "anomalies",
    "budget status", "budget simulate", "doctor", "prices show gpt-5-mini", "prices show nosuch", "scan", "sections",
    "export --limit 2", "prune --keep 400d", "import nosuch.csv", "report --by nosuch", "nosuch",
)  # fmt: skip


@pytest.mark.parametrize("width", ["40", "80", "130"])
@pytest.mark.parametrize("command", [*ASKED, *(f"{row.name} --help" for row in COMMANDS)])
def test_no_command_shows_escapes_for_its_own_signs(
    folder: Path, command: str, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", width)
    _, text = answer(*command.split())
    assert text.strip()
    assert "\\u" not in text
    assert "\\x" not in text


def test_a_cut_name_ends_with_a_sign_and_a_foreign_one_is_an_escape(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "60")
    lines = answer("report")[1].splitlines()
    assert any(line.startswith("a-section-") and "~ #" in line for line in lines)
    assert "a duck 🦆".encode("ascii", ERRORS) == b"a duck \\U0001f986"
