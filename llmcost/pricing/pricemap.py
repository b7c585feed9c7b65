"""Price maps: model name to a table of prices, in the fields of LiteLLM's ``model_prices_and_context_window.json``.

Three files have this shape: the snapshot in the wheel, ``.llmcost/prices.json.gz`` that ``llmcost prices update``
writes, and any map that the user names. The first two carry where they come from; a plain LiteLLM map does not, and is
dated by its file.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from llmcost.errors import PriceMapError, reason
from llmcost.lean import dataclass
from llmcost.pricing import entries
from llmcost.pricing.entries import Entries, Entry

SNAPSHOT: Final = Path(__file__).parent / "data" / "prices.json.gz"
LITELLM_FILE: Final = "model_prices_and_context_window_backup.json"

_NEEDED: Final = (
    r"cost|uplift|^(litellm_provider|mode|off_peak_pricing|tiered_pricing|provider_specific_entry"
    r"|web_search_billing_unit|max_input_tokens|max_output_tokens|supports_function_calling|supports_vision)$"
)
_NOT_MODELS: Final = frozenset({"sample_spec", "fallback_generalizations"})
"""Rows of LiteLLM's map that document it; they carry no prices."""


@dataclass(frozen=True, slots=True)
class MapMeta:
    """Where a map comes from: ``litellm`` or a file's name, the release or a hash, and an ISO date."""

    source: str
    version: str
    date: str


@dataclass(frozen=True, slots=True)
class PriceMap:
    """A whole map, by key."""

    models: Mapping[str, Entry]
    meta: MapMeta


def only_needed(raw: Mapping[str, Any]) -> dict[str, Entry]:
    """The models of a raw LiteLLM map with the fields that pricing reads, in a stable order."""
    return {
        key: {name: value for name, value in sorted(entry.items()) if re.search(_NEEDED, name) and value is not None}
        for key, entry in sorted(raw.items())
        if key not in _NOT_MODELS
    }


def pack(prices: PriceMap) -> bytes:
    """The compressed form of a map with its origin; equal maps give equal bytes."""
    return gzip.compress(entries.lines(asdict(prices.meta), prices.models), compresslevel=9, mtime=0)


def read(path: Path) -> PriceMap:
    """Read a map, plain or compressed, with or without its origin.

    Raises:
        PriceMapError: naming the file, if it is missing, damaged or no price map.
    """
    try:
        data = path.read_bytes()
        packed = data[:2] == b"\x1f\x8b"
        text = gzip.decompress(data) if packed else data
        known = Entries.of(text) if packed else None
        if known is not None:
            return PriceMap(known[1], _origin(known[0]))
        document = json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError) as exc:
        raise PriceMapError(f"{path}: {reason(exc)}") from None
    if not isinstance(document, dict):
        raise PriceMapError(f"{path}: not a price map: a table of models is needed")
    meta = document.get("meta")
    models = document.get("models")
    if isinstance(meta, dict) and isinstance(models, dict) and "litellm_provider" not in meta:
        origin = _origin(meta)
    else:
        models = {key: entry for key, entry in document.items() if key not in _NOT_MODELS}
        origin = MapMeta(path.name, hashlib.sha256(data).hexdigest()[:12], _file_date(path))
    if not all(isinstance(entry, dict) for entry in models.values()):
        raise PriceMapError(f"{path}: not a price map: every model must be a table")
    return PriceMap(models, origin)


def _origin(meta: Mapping[str, Any]) -> MapMeta:
    return MapMeta(*(str(meta.get(name, "")) for name in ("source", "version", "date")))


def litellm_file() -> Path | None:
    """The price map of an installed litellm, found without importing it (that takes seconds); None where absent."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / LITELLM_FILE
    return path if path.is_file() else None


def read_litellm() -> PriceMap | None:
    """The map of an installed litellm, dated by its file; None where litellm is absent."""
    path = litellm_file()
    if path is None:
        return None
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return PriceMap(read(path).models, MapMeta("litellm", version, _file_date(path)))


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes from one map to another: keys, sorted, and per changed key ``field: (old, new)``."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, Mapping[str, tuple[Any, Any]]]

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.removed or self.changed)


def compare(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Difference:
    """The difference between two maps, in what pricing reads."""
    changed = {key: dict(_changes(old[key], new[key])) for key in sorted(old.keys() & new.keys())}
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed={key: fields for key, fields in changed.items() if fields},
    )


def _changes(old: Entry, new: Entry) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in sorted(old.keys() | new.keys()):
        if re.search(_NEEDED, name) and old.get(name) != new.get(name):
            yield name, (old.get(name), new.get(name))


def _file_date(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
