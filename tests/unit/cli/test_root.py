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


@pytest.mark.parametrize("arguments", [("--json", "--", "python"), ("--foo",), ("--store", "x", "python", "app.py")])
def test_an_unknown_option_of_run_is_said_as_such(arguments: tuple[str, ...]) -> None:
    code, _, err = answer("run", *arguments)
    assert code == 2
    assert err.startswith(f"llmcost: run: no such option: {arguments[0]}; the program stands after --")


@pytest.mark.parametrize("command", ["--help", "prices show gpt-5-mini", "prices show gpt-5-mini --json"])
def test_a_closed_pipe_is_a_quiet_end(command: str) -> None:
    code = "import sys; from llmcost.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
