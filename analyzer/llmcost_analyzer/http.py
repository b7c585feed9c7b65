"""Raw HTTP requests to a model: which functions send, and which addresses are models. Rows in ``http.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from importlib import resources
from typing import Any, Final

from llmcost.providers import hosts
from llmcost_analyzer.patterns import compiled

_TABLE: Final[Mapping[str, Any]] = tomllib.loads(
    resources.files("llmcost_analyzer").joinpath("http.toml").read_text(encoding="utf-8")
)


def _places(key: str) -> dict[str, int]:
    """Functions and where their address stands: first, or after the method."""
    return {**dict.fromkeys(_TABLE[key], 0), **dict.fromkeys(_TABLE[f"{key}_with_method"], 1)}


def _any(alternatives: Iterable[str]) -> str:
    return "|".join(f"(?:{text})" for text in alternatives)


SENDERS: Final = _places("senders")
UNKNOWN_SENDERS: Final = _places("unknown_senders")
BODIES: Final = frozenset(_TABLE["bodies"])
_BODY_ROWS: Final = tuple((frozenset(row["has"]), frozenset(row["beside"]), row["operation"]) for row in _TABLE["body"])
_HOSTS: Final = (*(re.escape(host).replace(r"\*", r"[\w\0.{}-]*") for host in hosts()), *_TABLE["hosts"])
_HOST: Final = rf"^(?:\0|https?|wss?)?:?/*\0?(?:{_any(_HOSTS)})"
_ADDRESS: Final = _any(_TABLE["addresses"])
_PATH: Final = rf"(?:{_any(_TABLE['paths'])})(?:\b|$)"
_OPERATIONS: Final[Mapping[str, str]] = _TABLE["operations"]
_NO_CALL: Final = _any(_TABLE["no_calls"])


def is_model_address(text: str) -> bool:
    """Whether an address, in which unknown parts are null characters, is a model's: by host, or by a telling path."""
    if compiled(_NO_CALL).search(text):
        return False
    path = text.split("?", maxsplit=1)[0]
    return bool(compiled(_HOST).match(text) or compiled(_ADDRESS).match(path) or compiled(_PATH).search(path))


def operation(text: str) -> str:
    """What a request to a model's address is, by its path."""
    return next((name for name, pattern in _OPERATIONS.items() if compiled(pattern).search(text)), "chat")


def operation_of_body(keys: AbstractSet[str]) -> str:
    """What a request is whose body has these names; empty where they are not those of a request to a model."""
    return next((name for has, beside, name in _BODY_ROWS if has <= keys and (not beside or keys & beside)), "")
