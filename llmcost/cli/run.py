"""``llmcost run``: the unchanged program, observed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from llmcost import bootstrap, config, semconv
from llmcost.checking import DEFAULT_STORE
from llmcost.errors import ConfigError
from llmcost.runtime import price_book

_EXAMPLE: Final = "llmcost run -- python app.py"
_PYTHONS: Final = ("-m", "-c")
"""Options of Python that stand for a program: ``llmcost run -m app``."""
_BOOTSTRAP: Final = str(Path(bootstrap.__file__).parent)


def environment(environ: Mapping[str, str], run_id: str, said: Collection[str] = ()) -> dict[str, str]:
    """The environment of an observed program: our ``sitecustomize`` first on the path, a store and a run id.

    What the settings file says itself (``said``) is left to it. The path stays in place for the processes that the
    program starts, such as workers and reloaders.
    """
    out = dict(environ)
    paths = [entry for entry in out.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != _BOOTSTRAP]
    out["PYTHONPATH"] = os.pathsep.join([_BOOTSTRAP, *paths])
    out.setdefault(semconv.ENV_RUN_ID.name, run_id)
    if "store" not in said:
        out.setdefault(semconv.ENV_STORE.name, str(DEFAULT_STORE.resolve()))
    if "http_spans" not in said:
        out.setdefault(semconv.ENV_HTTP_SPANS.name, "off")
    return out


def command_of(arguments: Sequence[str]) -> list[str]:
    """The command to run; a Python file or a bare ``-m`` runs with this Python. What stands after ``--``, or from the
    first word that is no option on, is the program's."""
    command = list(arguments)
    if command[:1] == ["--"]:
        command = command[1:]
    elif command and command[0].startswith("-") and command[0] not in _PYTHONS:
        raise ConfigError(f"run: no such option: {command[0]}; the program stands after --, as in: {_EXAMPLE}")
    if not command:
        raise ConfigError(f"run: name a program, as in: {_EXAMPLE}")
    if command[0].endswith(".py") or command[0] in _PYTHONS:
        command.insert(0, sys.executable)
    if shutil.which(command[0]) is None:
        raise ConfigError(f"run: no such program: {command[0]}")
    return command


def run(
    arguments: Annotated[list[str], typer.Argument(metavar="-- COMMAND", help="The program and its arguments.")],
) -> None:
    """Run a program unchanged and record what its LLM calls cost. Then see: llmcost report."""
    command = command_of(arguments)
    price_book(config.load()).check()
    _, said = config.read_file(os.environ, Path.cwd())
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    os.execvpe(command[0], command, environment(os.environ, run_id, said))  # noqa: S606
