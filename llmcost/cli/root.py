"""The root of the command line: lazy commands, and errors as one line."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

import typer

from llmcost.cli import CLEAN, FAILED, plain_ascii
from llmcost.cli.commands import COMMANDS, CommandRow
from llmcost.errors import LLMCostError

_ABOUT: Final = "What your LLM calls cost, by what the code does."
_USAGE_ERROR: Final[Any] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Newer releases of typer hold their own copy of click, so the class is found by its descent."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. What the user can mend is one line on stderr."""
    arguments = arguments or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        plain_ascii.use(stream)  # names may hold what the terminal's encoding does not
    try:
        code = typer.main.get_command(_application(arguments))(
            args=arguments, prog_name="llmcost", standalone_mode=False
        )
        sys.stdout.flush()
    except LLMCostError as exc:
        return _failed(str(exc))
    except _USAGE_ERROR as exc:
        return _failed(exc.format_message())
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except (BrokenPipeError, SystemExit) as exc:
        if not _is_closed_pipe(exc):
            raise
        _silence()
        return CLEAN
    return code if isinstance(code, int) else CLEAN


def _failed(message: str) -> int:
    print(f"llmcost: {' '.join(message.split())}", file=sys.stderr)
    return FAILED


def _is_closed_pipe(exc: BaseException) -> bool:
    """Whether the reader of our output is gone; rich and click make an exit with code 1 of that."""
    return isinstance(exc, BrokenPipeError) or isinstance(exc.__context__, BrokenPipeError)


def _silence() -> None:
    """The reader of our output is gone: keep Python from failing again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _application(arguments: list[str]) -> typer.Typer:
    """The root with all its commands, of which only the one asked for is imported."""
    asked = next((word for word in arguments if not word.startswith("-")), None)
    root = typer.Typer(
        name="llmcost", help=_ABOUT, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True
    )
    root.callback()(_root)
    for row in COMMANDS:
        _register(root, row, loaded=row.name == asked)
    return root


def _register(root: typer.Typer, row: CommandRow, *, loaded: bool) -> None:
    command = _loaded(row) if loaded else _placeholder
    if isinstance(command, typer.Typer):
        root.add_typer(command, name=row.name, help=row.help, rich_help_panel=row.panel)
    else:
        root.command(row.name, help=row.help, rich_help_panel=row.panel, context_settings=dict(row.settings))(command)


def _loaded(row: CommandRow) -> Any:
    module, _, name = row.where.partition(":")
    return getattr(importlib.import_module(module), name)


def _placeholder() -> None:
    """Stands for a command that was not asked for."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"llmcost {_version()}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Options before the command."""
    del version


def _version() -> str:
    from importlib import metadata  # for those who ask only

    try:
        return metadata.version("llmcost-otel")
    except metadata.PackageNotFoundError:
        return "(not installed)"
