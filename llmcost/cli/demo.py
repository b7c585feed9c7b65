"""``llmcost demo``: a small news desk is scanned, run against a loopback server that plays the providers, and reported.

The programs are in ``examples/`` of the source tree; the wheel carries them as ``llmcost/demo``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from llmcost import semconv
from llmcost.cli import options as o
from llmcost.errors import LLMCostError, MissingExtra

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_SETTINGS: Final = "llmcost.toml"
_FOLDERS: Final = (_PACKAGE / "demo", _PACKAGE.parent / "examples")


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the demo and the packages that it needs."""

    module: str
    packages: tuple[str, ...]


class Place(NamedTuple):
    """Where the commands of the demo run."""

    environment: Mapping[str, str]
    folder: Path


PROGRAMS: Final = (Program("newsroom", ("openai", "anthropic")), Program("newsroom_httpx", ("httpx",)))
"""Best first: the demo runs the first program whose packages are installed."""


def demo(
    store: Annotated[
        Path | None, typer.Option(help="Keep the calls in this folder, for further reports.", show_default=False)
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Scan an example program, run it against a local server that plays OpenAI and Anthropic, and report its cost."""
    raise typer.Exit(run_demo(store, as_json=as_json))


def run_demo(store: Path | None, *, as_json: bool = False) -> int:
    """Scan, run and report a copy of the program as a user would, as commands of their own.

    Returns:
        The exit code of the first command that failed, else 0.

    Raises:
        MissingExtra: where no program of the demo can run.
        LLMCostError: where the example's files are not there.
    """
    folder, program = examples_folder(), choose_program()
    with tempfile.TemporaryDirectory(prefix="llmcost-demo-") as scratch, provider_server(folder) as port:
        kept = (store or Path(scratch)).resolve()
        environment = demo_environment(os.environ, port, kept)
        place = Place(environment, copied(folder / "newsroom", program, Path(scratch) / "newsroom"))
        code = show(("scan", "."), place, aside=as_json)
        if not code:
            code = show(("run", "--", "python", "-m", program.module), place, aside=as_json)
        if not code:
            code = show(("report", "--run", "last", *(("--json",) if as_json else ())), place)
        if code:
            return code
    if store is not None and not as_json:
        _say(f"\nThe calls are in {store}. Try: LLMCOST_STORE={store} llmcost report --by model")
    return 0


def copied(source: Path, program: Program, target: Path) -> Path:
    """The program in a folder of its own, where a scan may write its map."""
    shutil.copytree(source / program.module, target / program.module, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / _SETTINGS, target)
    return target


def show(arguments: tuple[str, ...], place: Place, *, aside: bool = False) -> int:
    """Print a command of llmcost as a user would type it, run it, and return its exit code. ``aside`` keeps what it
    prints out of stdout; a command that prints JSON is not printed itself."""
    if not aside and "--json" not in arguments:
        _say(f"\n$ llmcost {' '.join(arguments)}")
    command = [sys.executable, "-m", "llmcost", *(sys.executable if word == "python" else word for word in arguments)]
    out = 2 if aside else None
    return subprocess.run(command, env=dict(place.environment), cwd=place.folder, stdout=out, check=False).returncode


def choose_program() -> Program:
    """The best program that can run with what is installed."""
    for program in PROGRAMS:
        if all(find_spec(package) is not None for package in program.packages):
            if program is not PROGRAMS[0]:
                missing = " and ".join(PROGRAMS[0].packages)
                told = f"{missing} are not both installed: this is the short demo, over plain {program.packages[0]}."
                print(told, file=sys.stderr)
            return program
    raise MissingExtra("llmcost demo", "demo")


def examples_folder() -> Path:
    """The folder of the example programs: inside the installed package, or in the source tree."""
    for folder in _FOLDERS:
        if (folder / "newsroom").is_dir():
            return folder
    raise LLMCostError(f"demo: the example programs are missing: {_FOLDERS[0]}")


def demo_environment(environ: Mapping[str, str], port: int, store: Path) -> dict[str, str]:
    """The environment of the demo: made-up keys, the local server as both providers, nothing exported."""
    kept = {key: value for key, value in environ.items() if not key.startswith(("LLMCOST_", "OTEL_"))}
    return kept | {
        "OPENAI_API_KEY": "demo",
        "ANTHROPIC_API_KEY": "demo",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "ANTHROPIC_BASE_URL": f"http://localhost:{port}",
        "NO_PROXY": "127.0.0.1,localhost",
        semconv.ENV_STORE.name: str(store),
    }


@contextmanager
def provider_server(folder: Path) -> Iterator[int]:
    """The local server in a process of its own; yields its port and ends it at the end."""
    command = [sys.executable, "-m", "provider_server"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line.strip().isdigit():
                raise LLMCostError("demo: the local provider server did not start")
            yield int(line)
        finally:
            server.terminate()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
