"""The hook for pre-commit: what it runs, and when it fails."""

import io
import shlex
from pathlib import Path

import pytest
from analyzer_projects import write

from llmcost.cli import main

ROOT = Path(__file__).resolve().parents[3]
APP = "from openai import OpenAI\n\n\ndef ask(text):\n    return OpenAI().responses.create(input=text)\n"


def hook() -> dict[str, str]:
    """The one hook, as its keys and values stand in the file."""
    lines = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8").splitlines()
    rows = [line.removeprefix("- ").strip() for line in lines if line and not line.startswith("#")]
    return dict(row.split(": ", 1) for row in rows)


def run_hook() -> int:
    program, *arguments = shlex.split(hook()["entry"])
    assert program == "llmcost"
    return main(arguments, io.StringIO(), io.StringIO())


def test_the_hook_is_whole() -> None:
    assert {"id", "name", "entry", "language"} <= hook().keys()
    assert hook()["language"] == "python"
    assert hook()["pass_filenames"] == "false"


def test_a_commit_passes_only_with_a_map_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, {"app.py": APP}))
    assert run_hook() == 1
    assert main(["scan", "--quiet"], io.StringIO(), io.StringIO()) == 0
    assert run_hook() == 0
    (tmp_path / "app.py").write_text(APP + "\n\ndef more(text):\n    return ask(text)\n", encoding="utf-8")
    assert run_hook() == 1
