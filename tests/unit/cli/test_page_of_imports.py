"""docs/how-to/import-logs.md, carried out: its files are written, its commands run, and what it shows compared."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from llmcost.cli import main
from llmcost.store.log_forms import NAMES

PAGE = (Path(__file__).resolve().parents[3] / "docs/how-to/import-logs.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'```csv title="(\S+)"\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = re.findall(r"^\$ llmcost (.*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)


def test_the_page_s_commands_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(COMMANDS) == 7
    for command, shown in COMMANDS:
        out, err = io.StringIO(), io.StringIO()
        main(shlex.split(command), out, err)
        printed = [line.rstrip() for line in (out.getvalue() + err.getvalue()).splitlines()]
        assert printed == shown.splitlines(), command


def test_the_page_names_every_obvious_column() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`.*`) \|$", PAGE, re.MULTILINE)
    assert {field: tuple(re.findall(r"`(\w+)`", names)) for field, names in rows} == NAMES
