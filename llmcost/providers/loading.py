"""Reads the files of the providers and makes the registry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from llmcost.errors import ConfigError
from llmcost.providers.compiler import Compiler
from llmcost.providers.descriptor import Provider
from llmcost.providers.matching import COMPATIBLE, Registry

DATA: Final = Path(__file__).parent / "data"
TOGETHER: Final = DATA / "providers.json"
"""All files of the folder in one, by name, as ``make generated`` writes it: a program reads it thirty times as fast."""


def registry(hosts: Mapping[str, str] | None = None, extra: Iterable[Path] = ()) -> Registry:
    """The registry of all providers, compiled once a process for the same arguments.

    Args:
        hosts: the user's hosts, host name to provider name.
        extra: further TOML files, which win over packaged ones of the same name.

    Raises:
        ConfigError: naming the file and the key at fault.
    """
    return _registry(tuple(sorted((hosts or {}).items())), tuple(extra))


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all providers: of the files, and of hosts that speak another's API."""
    found = Compiler(_packaged()).providers()
    return frozenset(name for each in found for name in (each.name, *each.compatible.values())) - {COMPATIBLE}


@lru_cache(maxsize=1)
def hosts() -> tuple[str, ...]:
    """All hosts of models that are known, in order; ``*`` stands for any part of a name."""
    found = {host for _, document in _packaged() for key in ("hosts", "compatible") for host in document.get(key, ())}
    return tuple(sorted(found))


@lru_cache(maxsize=8)
def _registry(hosts: tuple[tuple[str, str], ...], extra: tuple[Path, ...]) -> Registry:
    made = Registry(lambda: _providers(extra), dict(hosts))
    if extra:
        made.load()
    return made


def _providers(extra: tuple[Path, ...]) -> list[Provider]:
    documents = [*_packaged(), *((str(path), _parse(str(path), _read(path))) for path in extra)]
    compiler = Compiler(documents)
    if extra:
        compiler.check()
    return compiler.providers()


def _packaged() -> list[tuple[str, dict[str, Any]]]:
    return list(json.loads(_read(TOGETHER)).items())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {exc}") from None


def _parse(where: str, text: str) -> dict[str, Any]:
    import tomllib  # what is packaged needs none

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{where}: {exc}") from None
