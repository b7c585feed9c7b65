"""Writes the pages of ``docs/reference`` that repeat what the code says: ``make generated``.

``--check`` writes nothing, names the pages that are stale and exits 1 if there are any.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import typer
from freshness import keep_fresh

import llmcost
from llmcost import semconv
from llmcost.cli.commands import COMMANDS, CommandRow
from llmcost.providers import compiler, usage

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
NOTICE = "<!-- Written by scripts/make_reference.py. Don't edit; run: make generated -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def code(names: Iterable[str]) -> str:
    """Names in code type, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def environment() -> str:
    """The environment variables."""
    return table(("variable", "meaning"), [(f"`{each.name}`", each.help) for each in semconv.ENVIRONMENT])


def settings() -> str:
    """The settings file, whole."""
    return f"```toml\n{(REFERENCE / 'llmcost.toml').read_text(encoding='utf-8')}```"


def attribute_sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The sections of ``semconv.py`` that hold attributes: title, and name with meaning for each constant."""
    source = resources.files("llmcost").joinpath("semconv.py").read_text(encoding="utf-8")
    body = ast.parse(source).body
    titles = [
        (number, found.group(1))
        for number, line in enumerate(source.splitlines(), start=1)
        if (found := re.match(r"# --- (.*?) -+$", line))
    ]
    ends = [number for number, _ in titles[1:]] + [len(source)]
    for (start, title), end in zip(titles, ends, strict=True):
        if title.startswith("span attributes"):
            yield title, list(_constants([node for node in body if start < node.lineno < end]))


def _constants(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        value = node.value if isinstance(node, ast.AnnAssign) else None
        if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
            continue
        if value.value in {semconv.UNTRACKED, semconv.OTHER_MODEL}:
            continue
        doc = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        yield value.value, str(doc)


def attributes() -> str:
    """The span attributes."""
    parts = []
    for title, rows in attribute_sections():
        parts.append(f"## {title.removeprefix('span ').capitalize()}")
        if any(doc for _, doc in rows):
            parts.append(table(("attribute", "meaning"), [(f"`{name}`", doc) for name, doc in rows]))
        else:
            parts.append("Their meaning is that of OpenTelemetry's GenAI, HTTP and code conventions.")
            parts.append("\n".join(f"- `{name}`" for name, _ in rows))
    older = [(f"`{name}`", code(spellings)) for name, spellings in semconv.FOREIGN_SPELLINGS.items()]
    parts.append("## Older and foreign spellings that are read\n\nThey are never written.")
    parts.append(table(("written as", "also read"), older))
    return "\n\n".join(parts)


def metrics() -> str:
    """The metrics."""
    parts = []
    for metric in semconv.METRICS:
        facts = [
            f"{metric.help}\n",
            f"- {metric.kind}, unit `{metric.unit}`",
            f"- attributes: {code(metric.attributes)}",
        ]
        if metric.buckets:
            facts.append(f"- bounds: {', '.join(f'{bound:g}' for bound in metric.buckets)}")
        parts.append(f"## `{metric.name}`\n\n" + "\n".join(facts))
    return "\n\n".join(parts)


def provider_documents() -> list[dict[str, Any]]:
    """The providers' files, by name."""
    folder = resources.files("llmcost.providers").joinpath("data")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return [tomllib.loads(item.read_text(encoding="utf-8")) for item in files]


def providers() -> str:
    """The providers, the hosts that speak another's API, and the keys of the files."""
    documents = provider_documents()
    rows = [_provider(document) for document in documents]
    compatible = sorted((host, name) for each in documents for host, name in each.get("compatible", {}).items())
    parts = [table(("provider", "hosts", "shapes"), rows)]
    if compatible:
        parts.append("## Hosts that speak a known API")
        parts.append(table(("host", "provider"), [(f"`{host}`", f"`{name}`") for host, name in compatible]))
    parts.append("## What a provider's file may name")
    parts.append(
        "A provider is one TOML file in `llmcost/providers/data`, and fixtures; `make generated` puts the files in one."
    )
    keys = {
        "the file": compiler.PROVIDER_KEYS,
        "`[[route]]`": compiler.ROUTE_KEYS,
        "`[shape.NAME]`": compiler.SHAPE_KEYS,
        "`[shape.NAME.request]`": compiler.REQUEST_FIELDS,
        "`[shape.NAME.response]`": compiler.RESPONSE_FIELDS,
        "`[shape.NAME.usage]`, `.counts`, `.asked`": usage.FIELDS,
        "`[[shape.NAME.tally]]`": compiler.TALLY_KEYS,
        "`[shape.NAME.big]`": compiler.BIG_KEYS,
        "`[shape.NAME.stream]`": compiler.STREAM_KEYS,
        "`[shape.NAME.error]`": compiler.ERROR_FIELDS,
    }
    parts.append(table(("table", "keys"), [(name, code(sorted(found))) for name, found in keys.items()]))
    return "\n\n".join(parts)


def _provider(document: dict[str, Any]) -> tuple[str, str, str]:
    shapes = sorted({str(route["shape"]) for route in document.get("route", []) if "shape" in route})
    if "compatible" in document or not document.get("hosts"):
        return "any other host", "recognised by path and body", code(shapes)
    return f"`{document['name']}`", code(document["hosts"]), code(shapes)


def command_line() -> str:
    """The commands with their arguments and options."""
    return "\n\n".join(text for row in COMMANDS for text in _command(f"llmcost {row.name}", _loaded(row)))


def _loaded(row: CommandRow) -> Any:
    module, _, name = row.where.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, typer.Typer):
        application = typer.Typer(add_completion=False)
        application.command(row.name, help=row.help, context_settings=dict(row.settings))(found)
        found = application
    return typer.main.get_command(found)


def _command(name: str, command: Any) -> Iterator[str]:
    """The sections of one command. ``Any``, since newer releases of typer hold their own copy of click."""
    if command.hidden:
        return
    yield f"## `{name}`\n\n{(command.help or '').strip()}"
    shown = [each for each in command.params if not getattr(each, "hidden", False) and "--help" not in each.opts]
    if shown:
        yield table(("option", "meaning"), [_parameter(each) for each in shown])
    for inner in sorted(getattr(command, "commands", ())):
        yield from _command(f"{name} {inner}", command.commands[inner])


def _parameter(parameter: Any) -> tuple[str, str]:
    """An option or argument, put in our own words, so that the page does not change with typer's releases."""
    argument = parameter.param_type_name == "argument"
    form = parameter.metavar or parameter.name.upper() if argument else ", ".join(parameter.opts)
    if not argument and not parameter.is_flag:
        form += f" {parameter.metavar or parameter.name.upper()}"
    default = parameter.default
    said = f" Default: {default}." if isinstance(default, str | int | float) and not isinstance(default, bool) else ""
    return f"`{form}`", " ".join((parameter.help or "").split()) + said


def python() -> str:
    """The names of ``import llmcost``."""
    return "\n\n".join(_public(name, getattr(llmcost, name)) for name in llmcost.__all__)


def _public(name: str, thing: Any) -> str:
    parts = [f"## `llmcost.{name}`"]
    if not (isinstance(thing, type) and issubclass(thing, Exception)):
        parts.append(f"```text\n{_signature(name, thing)}\n```")
    parts.append(_prose(inspect.getdoc(thing) or ""))
    return "\n\n".join(parts)


def _signature(name: str, thing: Any) -> str:
    arguments: list[str] = []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not any(each.startswith("*") for each in arguments):
            arguments.append("*")
        arguments.append(_argument(parameter))
    line = f"{name}({', '.join(arguments)})"
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(arguments) + ",\n)"


def _argument(parameter: inspect.Parameter) -> str:
    """A parameter as it stands in the code; a default that is no plain value is left as an ellipsis."""
    kind = parameter.kind
    stars = "*" if kind is parameter.VAR_POSITIONAL else "**" if kind is parameter.VAR_KEYWORD else ""
    typed = f": {parameter.annotation}" if isinstance(parameter.annotation, str) else ""
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}{typed}"
    plain = parameter.default is None or isinstance(parameter.default, str | int | float | tuple)
    return f"{parameter.name}{typed} = {repr(parameter.default) if plain else '...'}"


def _prose(docstring: str) -> str:
    """A docstring as Markdown: roles become code, and the entries of ``Args`` and its like become lists."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring.replace("``", "`"))
    text = re.sub(r"^(Args|Attributes|Returns|Raises|Yields):$", r"\1:\n", text, flags=re.MULTILINE)
    text = re.sub(r"^ {4}(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)
    return re.sub(r"^ {4,}(?=\S)", "  ", text, flags=re.MULTILINE)


PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "attributes.md": (
        """# Span attributes

The span of a call is named `{operation} {model}` and has the kind CLIENT. Amounts are USD, as doubles. Attributes that
don't apply are absent.""",
        attributes,
    ),
    "cli.md": (
        """# Command line

Exit codes: 0 clean, 1 findings, 2 failure. Errors are one line that names the key, option or file at fault.""",
        command_line,
    ),
    "environment.md": (
        """# Environment variables

They win over the [settings file](settings.md) and lose against arguments in code. Exporters, resource and sampling are
set by OpenTelemetry's own `OTEL_*` variables.""",
        environment,
    ),
    "metrics.md": (
        """# Metrics

`gen_ai.client.*` are emitted for spans of ours only (another instrumentation emits its own), the others for all calls.
User ids are attributes of `llmcost.user.cost` and of the gauges of budgets, where `metric_users` asks for them.""",
        metrics,
    ),
    "providers.md": (
        """# Providers

A host that is not listed is recognised where path and body have the shape of a known API; see
[own hosts](../how-to/hosts-and-prices.md) to name it.""",
        providers,
    ),
    "python.md": (
        """# Python

What `import llmcost` offers. Everything is loaded when it is first asked for, so the import costs next to nothing.""",
        python,
    ),
    "settings.md": (
        """# Settings file

`llmcost.toml` is looked for in the working directory, then upwards; `LLMCOST_CONFIG` names another. The same table can
stand in `pyproject.toml` as `[tool.llmcost]`. Arguments in code win over `LLMCOST_*`, those over the file, the file
over the defaults. A wrong value is an error of one line that names the key.

The complete file, each setting with its default or an example; a test loads it:""",
        settings,
    ),
}


def main(argv: Sequence[str]) -> int:
    """Write the pages, or compare them."""
    pages = {REFERENCE / name: f"{NOTICE}\n\n{intro}\n\n{make()}" for name, (intro, make) in PAGES.items()}
    return keep_fresh({path: text.rstrip() + "\n" for path, text in pages.items()}, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
