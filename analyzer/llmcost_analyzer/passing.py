"""Names that values pass through; ``passing.toml`` as sets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

_TABLE: Final[Mapping[str, Any]] = tomllib.loads(
    resources.files("llmcost_analyzer").joinpath("passing.toml").read_text(encoding="utf-8")
)


def _names(key: str) -> frozenset[str]:
    return frozenset(_TABLE[key])


CALLS_FUNCTION: Final = _names("calls_function")
GIVE_ELEMENTS: Final = _names("give_elements")
GIVE_CONTAINER: Final = _names("give_container")
SAME_TEXT: Final = _names("same_text")
GIVE_FIRST_ARGUMENT: Final = _names("give_first_argument")
GIVE_INSTANCES: Final = _names("give_instances")
TRANSPARENT_TYPES: Final = _names("transparent_types")
TYPE_OF_CLASS: Final = _names("type_of_class")
CONTAINER_TYPES: Final = _names("container_types")
PLAIN_BASES: Final = _names("plain_bases")
COMMON_NAMES: Final = _names("common_names")
HANDS_ON: Final = _names("hands_on")
RUNS_ARGUMENTS: Final = _names("runs_arguments")
STARTS_WORK: Final = _names("starts_work")
PLAIN_PACKAGES: Final = _names("plain_packages")
RESULTS: Final[Mapping[str, list[str]]] = _TABLE["results"]
