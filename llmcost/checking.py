"""Values of settings in the types that :class:`llmcost.config.Config` declares. A kind is one function of this module,
and one row of :data:`KINDS` for each setting of that kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from llmcost.errors import ConfigError
from llmcost.lean import dataclass

_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"0", "false", "no", "off"})

DEFAULT_STORE: Final = Path(".llmcost")
MOST_METRIC_USERS: Final = 1000
PROFILES: Final = ("openlit", "logfire", "langfuse", "otel-draft")


@dataclass(frozen=True, slots=True)
class AnomalySettings:
    """The table ``[anomalies]``.

    Attributes:
        sensitivity: ``low`` reports only what is of high severity, ``medium`` also what is of medium, ``high`` all.
        at_least: USD above the usual from which an incident is reported; errors and retries always are.
        webhook: URL that reports are posted to; signed where ``LLMCOST_WEBHOOK_SECRET`` is set.
    """

    sensitivity: Literal["low", "medium", "high"] = "medium"
    at_least: float = 0.0
    webhook: str | None = None


Check = Callable[[str, Any, Path], Any]
"""From what an error names, the value, and the folder that paths start from, to the value in its type."""


def checked(where: str, key: str, value: Any, base: Path) -> Any:
    """The value of a setting in its type.

    Args:
        where: what an error names: the file and key, the variable or the argument.
        key: the setting.
        value: as it stands in a file, variable or argument.
        base: the folder that relative paths start from.

    Raises:
        ConfigError: naming ``where``.
    """
    if key not in KINDS:
        near = _nearest(key, KINDS, 0.7)
        raise ConfigError(f"{where}: unknown setting{f'; did you mean {near[0]}?' if near else ''}")
    return KINDS[key](where, value, base)


def _nearest(name: str, known: Iterable[str], cutoff: float) -> list[str]:
    import difflib  # for words to the user alone

    return difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)


def _text(where: str, value: Any, _: Path) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: expected text, got {value!r}")
    return value


def _endpoint(where: str, value: Any, base: Path) -> str:
    """The value is not repeated in the error: it may hold a password."""
    text = _text(where, value, base).strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        good = parts.hostname and (parts.port or 1) and not any(map(str.isspace, text))
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{where}: expected an address like http://127.0.0.1:4318")
    return text


def _choice(*choices: str) -> Check:
    def check(where: str, value: Any, _: Path) -> str:
        for choice in choices:
            if isinstance(value, str) and value.lower() == choice.lower():
                return choice
        raise ConfigError(f"{where}: {value!r} is none of {', '.join(choices)}")

    return check


def _switch(where: str, value: Any, _: Path) -> bool:
    text = str(value).lower() if isinstance(value, str | bool) else ""
    if text in _ON or text in _OFF:
        return text in _ON
    raise ConfigError(f"{where}: {value!r} is neither on nor off")


def _number(most: int) -> Check:
    """A whole number from 0 on, also as text."""

    def check(where: str, value: Any, _: Path) -> int:
        given = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
            raise ConfigError(f"{where}: {value!r} is no whole number from 0 to {most}")
        return given

    return check


def _file(*, must_exist: bool) -> Check:
    def check(where: str, value: Any, base: Path) -> Path:
        path = _path(where, value, base)
        if must_exist and not path.exists():
            raise ConfigError(f"{where}: no such file: {path}")
        return path

    return check


def _path(where: str, value: Any, base: Path) -> Path:
    if not isinstance(value, str | Path):
        raise ConfigError(f"{where}: expected a path, got {value!r}")
    try:
        return (base / value).resolve()
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{where}: expected a path, got {value!r} ({exc})") from None


def _store(where: str, value: Any, base: Path) -> Path | Literal["auto"] | None:
    text = str(value).lower() if isinstance(value, str | bool) else ""
    if text == "auto":
        return "auto"
    if text in _OFF:
        return None
    return _path(where, DEFAULT_STORE if text in _ON else value, base)


def _names(*choices: str) -> Check:
    """A list of names, or text with commas between them."""

    def check(where: str, value: Any, base: Path) -> tuple[str, ...]:
        given = value.split(",") if isinstance(value, str) else value
        if not isinstance(given, list | tuple):
            raise ConfigError(f"{where}: expected a list of names, got {value!r}")
        names = tuple(name for each in given if (name := _text(where, each, base).strip()))
        for name in names:
            if choices and name not in choices:
                raise ConfigError(f"{where}: {name!r} is none of {', '.join(choices)}")
        return names

    return check


def _texts(where: str, value: Any, base: Path) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table, got {value!r}")
    return {_text(where, name, base): _text(f'{where}."{name}"', each, base) for name, each in value.items()}


def _by_host(where: str, value: Any, base: Path) -> dict[str, str]:
    hosts = _texts(where, value, base)
    for host in hosts:
        if not host or "/" in host:
            raise ConfigError(f'{where}."{host}": expected a host or host:port, without a scheme or path')
    return hosts


def _hosts(where: str, value: Any, base: Path) -> dict[str, str]:
    from llmcost import pricing, providers  # with tables of prices: only where hosts are named

    hosts = _by_host(where, value, base)
    for host, name in hosts.items():
        known = providers.names() | pricing.provider_names()
        if name not in known:
            near = _nearest(name.lower(), sorted(known), 0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f'{where}."{host}": no such provider: {name!r}{hint}')
    return hosts


def _prices(where: str, value: Any, _: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table, got {value!r}")
    from llmcost.pricing import check_rows  # likewise

    check_rows(value, where)
    return value


def _anomalies(where: str, value: Any, base: Path) -> AnomalySettings:
    if isinstance(value, AnomalySettings):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a table, got {value!r}")
    for key in value:
        if key not in _ANOMALIES:
            raise ConfigError(f"{where}.{key}: unknown setting")
    return AnomalySettings(**{key: _ANOMALIES[key](f"{where}.{key}", given, base) for key, given in value.items()})


def _amount(where: str, value: Any, _: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigError(f"{where}: {value!r} is no amount of USD")
    return float(value)


def _webhook(where: str, value: Any, base: Path) -> str:
    """The value is not repeated in the error: it may hold a token."""
    text = _endpoint(where, value, base)
    if not text.startswith(("https://", "http://")):
        raise ConfigError(f"{where}: expected an address that begins with https:// or http://")
    return text


_ANOMALIES: Final[Mapping[str, Check]] = {
    "sensitivity": _choice("low", "medium", "high"),
    "at_least": _amount,
    "webhook": _webhook,
}


def _budgets(where: str, value: Any, _: Path) -> tuple[Any, ...]:
    from llmcost.control import Budget, budgets_of, check_all  # with SQLite: only where there are budgets

    try:
        if isinstance(value, list | tuple) and all(isinstance(each, Budget) for each in value):
            check_all(value)
            return tuple(value)
        return budgets_of(value, where=where)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(where) else f"{where}: {text}") from None


def _ledger(where: str, value: Any, base: Path) -> str:
    """The value is not repeated in the error: it may hold a password."""
    url = _text(where, value, base)
    if "://" not in url and not url.startswith("sqlite:"):
        raise ConfigError(f"{where}: expected sqlite:///path, redis://host:port/0 or memory://")
    return url


KINDS: Final[Mapping[str, Check]] = {
    "endpoint": _endpoint,
    "headers": _texts,
    "service_name": _text,
    "http_spans": _choice("keep", "on", "off"),
    "store": _store,
    "metrics": _switch,
    "metric_users": _number(MOST_METRIC_USERS),
    "map_path": _file(must_exist=False),
    "default_label": _text,
    "stream_usage": _choice("keep", "inject"),
    "price_map": _file(must_exist=True),
    "prices": _prices,
    "hosts": _hosts,
    "deployments": _texts,
    "gateways": _by_host,
    "profiles": _names(*PROFILES),
    "capture_content": _choice("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"),
    "second_door": _names(),
    "foresight": _choice("auto", "on", "off"),
    "anomalies": _anomalies,
    "budgets": _budgets,
    "ledger": _ledger,
    "run_id": _text,
    "root": _file(must_exist=True),
}
"""The kind of every setting."""
