"""What is installed: clients to hook, a distribution of OpenTelemetry, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from typing import Final

from llmcost.cli.checks.finding import Finding, Surroundings
from llmcost.exchange.clients import TABLE

_OUR_DISTRO: Final = "opentelemetry-distro"
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_NATIVE: Final = {"anthropic": "anthropic._tracing", "mistralai": "mistralai.extra.observability"}
"""SDKs that make spans of their own, and the module that does so."""


def clients(_: Surroundings) -> Iterator[Finding]:
    """The HTTP clients whose calls are seen."""
    found = [f"{row.module} {number}" for row in TABLE if (number := _version(row.module))]
    if found:
        yield Finding("clients", True, f"calls are seen over {', '.join(found)}")
    else:
        fix = f"pip install {TABLE[0].module}"
        yield Finding("clients", False, "no HTTP client that llmcost can hook is installed", fix)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def distro(around: Surroundings) -> Iterator[Finding]:
    """``opentelemetry-instrument`` does nothing, and says nothing, where no distro and configurator are there."""
    chosen = around.environ.get("OTEL_PYTHON_DISTRO")
    names = {_owner(entry): entry.name for entry in entry_points(group="opentelemetry_distro")}
    owners = sorted(names)
    if not owners or not entry_points(group="opentelemetry_configurator"):
        yield Finding(
            "distro",
            False,
            "no OpenTelemetry distro: opentelemetry-instrument does nothing",
            f"pip install {_OUR_DISTRO}",
        )
    elif owners != [_OUR_DISTRO] and chosen is None:
        yield Finding(
            "distro", False, f"several or other OpenTelemetry distros are installed: {', '.join(owners)}",
            f"set OTEL_PYTHON_DISTRO={names.get(_OUR_DISTRO, names[owners[0]])}, or start with: llmcost run",
        )  # fmt: skip
    else:
        yield Finding("distro", True, f"OpenTelemetry distro: {chosen or owners[0]}")


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def double(around: Surroundings) -> Iterator[Finding]:
    """Two instrumentations of one SDK make two spans a call. llmcost counts it once all the same."""
    disabled = {name.strip() for name in around.environ.get(_DISABLED, "").split(",")}
    makers: dict[str, set[str]] = {}
    for entry in entry_points(group="opentelemetry_instrumentor"):
        if not {"*", entry.name} & disabled:
            makers.setdefault(entry.name, set()).add(_owner(entry))
    for sdk, module in _NATIVE.items():
        if sdk in makers and find_spec(sdk) is not None and find_spec(module) is not None:
            makers[sdk].add(f"{sdk} itself")
    double = {sdk: sorted(owners) for sdk, owners in makers.items() if len(owners) > 1}
    for sdk, owners in sorted(double.items()):
        yield Finding(
            "double instrumentation", False, f"{sdk} is instrumented by {' and '.join(owners)}: two spans a call",
            f"uninstall one, or set {_DISABLED}={sdk}: llmcost needs neither",
        )  # fmt: skip
    if not double:
        yield Finding("double instrumentation", True, "no SDK is instrumented twice")
