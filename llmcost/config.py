"""Settings: arguments win over ``LLMCOST_*``, over ``llmcost.toml`` or ``[tool.llmcost]``, over the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from llmcost import semconv
from llmcost.checking import AnomalySettings, checked
from llmcost.errors import ConfigError, reason
from llmcost.lean import dataclass

if TYPE_CHECKING:
    from llmcost.control import Budget

HttpSpans = Literal["keep", "on", "off"]

_FILE_NAMES: Final = ("llmcost.toml", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting with its default.

    Attributes:
        endpoint: OTLP endpoint to export to; None leaves exporting to ``OTEL_*`` and the application.
        headers: headers of the OTLP exporter.
        service_name: ``service.name`` of the resource, where llmcost sets the provider up.
        http_spans: what happens to the network leg: ``keep`` (the application's choice stays), ``on``, ``off``.
        store: folder of the local store; None for no store; ``auto`` writes one where nothing is exported.
        metrics: whether metrics are recorded.
        metric_users: how many users, those that spend most, metrics name by their id; of each budget of users, tenants
            and other ids its gauges name as many.
        map_path: the semantic map; None finds ``.llmcost/semantic_map.json`` upwards from the entry script.
        default_label: label of calls that no mapped function made; None means ``untracked``.
        stream_usage: ``inject`` adds ``stream_options.include_usage`` to OpenAI-like streams and hides the extra chunk.
        price_map: a file that replaces the shipped price map.
        prices: the user's rows, model name to a table of price-map fields (and ``from``, a date).
        hosts: the user's hosts, host name to provider name.
        deployments: the user's Azure deployments or gateway aliases, name to model.
        gateways: hosts that are observed themselves, host or host:port to the name of what counts there.
        profiles: peers' cost attributes to write beside ours.
        capture_content: where message content goes: nowhere, spans, events or both.
        second_door: instrumentation scopes whose spans are counted although no hook saw their call (gRPC).
        foresight: forecasts and the watch for anomalies; ``auto`` has them where there is a store.
        anomalies: what is worth a report, and where it goes.
        budgets: what may be spent, checked; see ``docs/reference/llmcost.toml``.
        ledger: where budgets are counted: ``sqlite:///path``, ``redis://host:port/0`` or ``memory://``; None is a file
            in the folder of the store.
        run_id: id of this run of the program, shared by its processes.
        root: the folder that the settings were read from.
    """

    endpoint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    service_name: str | None = None
    http_spans: HttpSpans = "keep"
    store: Path | Literal["auto"] | None = "auto"
    metrics: bool = True
    metric_users: int = 0
    map_path: Path | None = None
    default_label: str | None = None
    stream_usage: Literal["keep", "inject"] = "keep"
    price_map: Path | None = None
    prices: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    deployments: Mapping[str, str] = field(default_factory=dict)
    gateways: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    capture_content: str = "NO_CONTENT"
    second_door: tuple[str, ...] = ()
    foresight: Literal["auto", "on", "off"] = "auto"
    anomalies: AnomalySettings = field(default_factory=AnomalySettings)
    budgets: tuple[Budget, ...] = ()
    ledger: str | None = None
    run_id: str | None = None
    root: Path | None = None


def load(
    arguments: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Config:
    """Compose the settings.

    Args:
        arguments: settings by the names of :class:`Config`; None values are left out.
        environ: the environment, ``os.environ`` by default.
        directory: where to look for ``llmcost.toml`` or ``pyproject.toml``, then upwards; the working directory by
            default.

    Raises:
        ConfigError: naming the key, variable or file at fault.
    """
    env = os.environ if environ is None else environ
    path, table = read_file(env, directory or Path.cwd())
    merged: dict[str, Any] = {}
    if path is not None:
        merged = {key: checked(f"{path.name}: {key}", key, value, path.parent) for key, value in table.items()}
        merged["root"] = path.parent
    for variable, key in _VARIABLES.items():
        text = env.get(variable)
        if text:
            merged[key] = checked(variable, key, text, Path.cwd())
    for key, value in (arguments or {}).items():
        if value is not None:
            merged[key] = checked(key, key, value, Path.cwd())
    return replace(Config(), **merged)


def read_file(environ: Mapping[str, str], directory: Path) -> tuple[Path | None, dict[str, Any]]:
    """The nearest settings file at or above ``directory`` and its table; ``(None, {})`` where there is none."""
    named = environ.get(semconv.ENV_CONFIG.name)
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(f"{semconv.ENV_CONFIG.name}: no such file: {named}")
        return path, _parse(path)
    for folder in (directory, *directory.parents):
        for name in _FILE_NAMES:
            path = folder / name
            if path.is_file():
                table = _parse(path)
                if table:
                    return path, table
    return None, {}


def _parse(path: Path) -> dict[str, Any]:
    import tomllib  # not every program has a file

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        if path.name == "pyproject.toml":
            return {}
        raise ConfigError(f"{path}: {reason(exc)}") from None
    if path.name != "pyproject.toml":
        return document
    tools = document.get("tool", {})
    table = tools.get("llmcost", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [tool.llmcost] is not a table")
    return table


_VARIABLES: Final[Mapping[str, str]] = {
    semconv.ENV_HTTP_SPANS.name: "http_spans",
    semconv.ENV_STORE.name: "store",
    semconv.ENV_METRICS.name: "metrics",
    semconv.ENV_METRIC_USERS.name: "metric_users",
    semconv.ENV_MAP.name: "map_path",
    semconv.ENV_LABEL.name: "default_label",
    semconv.ENV_STREAM_USAGE.name: "stream_usage",
    semconv.ENV_PRICE_MAP.name: "price_map",
    semconv.ENV_PROFILES.name: "profiles",
    semconv.ENV_CAPTURE_CONTENT.name: "capture_content",
    semconv.ENV_FORESIGHT.name: "foresight",
    semconv.ENV_LEDGER.name: "ledger",
    semconv.ENV_RUN_ID.name: "run_id",
}
