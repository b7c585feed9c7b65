import io
import subprocess
import sys

import pytest

from llmcost.cli import main
from llmcost.cli.commands import COMMANDS


def answer(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(list(arguments), out, err), out.getvalue(), err.getvalue()


def test_help_names_every_command_without_importing_one() -> None:
    code = (
        "import sys; from llmcost.cli import main; main(['--help']); print([m for m in sys.modules if 'sqlite3' in m])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for row in COMMANDS:
        assert row.name in out
        assert row.help[:30] in out
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_command_of_the_table_has_help_of_its_own(row: object) -> None:
    code, out, err = answer(getattr(row, "name"), "--help")  # noqa: B009
    assert (code, err) == (0, "")
    assert "Usage: llmcost " + getattr(row, "name") in out  # noqa: B009


def test_no_arguments_print_the_help() -> None:
    assert answer() == answer("--help")


def test_version() -> None:
    code, out, _ = answer("--version")
    assert code == 0
    assert out.startswith("llmcost ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("nosuch",), "nosuch"),
        (("report", "--nosuch"), "--nosuch"),
        (("report", "--limit", "many"), "--limit"),
        (("report", "--since", "soon", "--store", "."), "store"),
        (("report", "--json", "--csv"), "--csv"),
        (("report", "--tz", "Mars/Olympus"), "--tz"),
        (("report", "--only", "user"), "--only"),
    ],
)
def test_an_error_of_the_user_is_one_line_on_stderr_that_names_it(
    arguments: tuple[str, ...], named: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    code, out, err = answer(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("llmcost: ")
    assert named in err
