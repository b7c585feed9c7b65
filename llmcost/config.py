"""Settings: arguments win over ``LLMCOST_*``, over ``llmcost.toml`` or ``[tool.llmcost]``, over the defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from llmcost import semconv
from llmcost.errors import ConfigError

HttpSpans = Literal["keep", "on", "off"]

_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"0", "false", "no", "off"})
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
        map_path: the semantic map; None finds ``.llmcost/semantic_map.json`` upwards from the entry script.
        default_label: label of calls that no mapped function made; None means ``untracked``.
        stream_usage: ``inject`` adds ``stream_options.include_usage`` to OpenAI-like streams and hides the extra chunk.
        price_map: a file that replaces the shipped price map.
        prices: the user's rows, model name to a table of price-map fields (and ``from``, a date).
        hosts: the user's hosts, host name to provider name.
        deployments: the user's Azure deployments or gateway aliases, name to model.
        profiles: peers' cost attributes to write beside ours.
        capture_content: where message content goes: nowhere, spans, events or both.
        second_door: instrumentation scopes whose spans are counted although no hook saw their call (gRPC).
        run_id: id of this run of the program, shared by its processes.
        root: the folder that the settings were read from.
    """

    endpoint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    service_name: str | None = None
    http_spans: HttpSpans = "keep"
    store: Path | Literal["auto"] | None = "auto"
    metrics: bool = True
    map_path: Path | None = None
    default_label: str | None = None
    stream_usage: Literal["keep", "inject"] = "keep"
    price_map: Path | None = None
    prices: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    deployments: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    capture_content: str = "NO_CONTENT"
    second_door: tuple[str, ...] = ()
    run_id: str | None = None
    root: Path | None = None


DEFAULT_STORE: Final = Path(".llmcost")
PROFILES: Final = ("openlit", "logfire", "langfuse", "otel-draft")


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
        merged = {key: _checked(f"{path.name}: {key}", key, value, path.parent) for key, value in table.items()}
        merged["root"] = path.parent
    for variable, key in _VARIABLES.items():
        text = env.get(variable)
        if text:
            merged[key] = _checked(variable, key, text, Path.cwd())
    for key, value in (arguments or {}).items():
        if value is not None:
            merged[key] = _checked(key, key, value, Path.cwd())
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
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        if path.name == "pyproject.toml":
            return {}
        raise ConfigError(f"{path}: {exc}") from None
    table = document.get("tool", {}).get("llmcost", {}) if path.name == "pyproject.toml" else document
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [tool.llmcost] is not a table")
    return table


_VARIABLES: Final[Mapping[str, str]] = {
    semconv.ENV_HTTP_SPANS.name: "http_spans",
    semconv.ENV_STORE.name: "store",
    semconv.ENV_METRICS.name: "metrics",
    semconv.ENV_MAP.name: "map_path",
    semconv.ENV_LABEL.name: "default_label",
    semconv.ENV_STREAM_USAGE.name: "stream_usage",
    semconv.ENV_PRICE_MAP.name: "price_map",
    semconv.ENV_PROFILES.name: "profiles",
    semconv.ENV_CAPTURE_CONTENT.name: "capture_content",
    semconv.ENV_RUN_ID.name: "run_id",
}

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "http_spans": ("keep", "on", "off"),
    "stream_usage": ("keep", "inject"),
    "capture_content": ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"),
}
_TABLES: Final = frozenset({"headers", "prices", "hosts", "deployments"})
_PATHS: Final = {"map_path": False, "price_map": True, "root": True}
"""Settings that name a file or folder, and whether it must be there."""
_TEXTS: Final = frozenset({"endpoint", "service_name", "default_label", "run_id"})


def _checked(where: str, key: str, value: Any, base: Path) -> Any:
    """The value in the type that :class:`Config` declares, or a ``ConfigError`` that names ``where``."""
    if key not in {f.name for f in fields(Config)}:
        raise ConfigError(f"{where}: unknown setting")
    if key in _CHOICES:
        for choice in _CHOICES[key]:
            if str(value).lower() == choice.lower():
                return choice
        raise ConfigError(f"{where}: {value!r} is none of {', '.join(_CHOICES[key])}")
    if key == "store":
        return _store(value, base)
    if key in _PATHS:
        return _path(where, value, base, must_exist=_PATHS[key])
    if key == "metrics":
        return _switch(where, value)
    if key == "profiles":
        return _profiles(where, value)
    if key == "second_door":
        return (value,) if isinstance(value, str) else tuple(str(scope) for scope in value)
    if key in _TABLES and not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table, got {value!r}")
    if key in _TEXTS and not isinstance(value, str):
        raise ConfigError(f"{where}: expected text, got {value!r}")
    return value


def _path(where: str, value: Any, base: Path, *, must_exist: bool) -> Path:
    if not isinstance(value, str | Path):
        raise ConfigError(f"{where}: expected a path, got {value!r}")
    path = (base / Path(value)).resolve()
    if must_exist and not path.exists():
        raise ConfigError(f"{where}: no such file: {path}")
    return path


def _store(value: Any, base: Path) -> Path | Literal["auto"] | None:
    text = str(value)
    if text == "auto":
        return "auto"
    if value is False or text.lower() in _OFF:
        return None
    if value is True or text.lower() in _ON:
        return (base / DEFAULT_STORE).resolve()
    return (base / Path(text)).resolve()


def _switch(where: str, value: Any) -> bool:
    text = str(value).lower()
    if text in _ON or text in _OFF:
        return text in _ON
    raise ConfigError(f"{where}: {value!r} is neither on nor off")


def _profiles(where: str, value: Any) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else tuple(value)
    for name in names:
        if name not in PROFILES:
            raise ConfigError(f"{where}: {name!r} is none of {', '.join(PROFILES)}")
    return names
