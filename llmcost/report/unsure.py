"""The labels that a scan was not sure of. Read from its files without the machinery that labels calls: a report has
other things to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

UNSURE: Final = 0.45
"""Labels below this confidence of the scan are worth a look."""
_LABELS_NAME: Final = "semantic_labels.json"


def unsure_labels(map_path: Path) -> frozenset[str]:
    """The labels of a map that the scan was not sure of in any function, and that nobody set by hand since. None where
    a file cannot be read: ``llmcost doctor`` tells of that."""
    sure: dict[str, bool] = {}
    details = _read(map_path.with_name(_LABELS_NAME))
    for file, functions in _read(map_path).items():
        for name, label in functions.items():
            if isinstance(label, str):
                sure[label] = sure.get(label, False) or _is_sure(details.get(file, {}).get(name), label)
    return frozenset(label for label, is_sure in sure.items() if not is_sure)


def _is_sure(detail: Any, label: str) -> bool:
    """What a person wrote is sure: a label that the labels file does not have, or has otherwise."""
    if not isinstance(detail, dict) or detail.get("label") != label or detail.get("origin") == "hand":
        return True
    confidence = detail.get("confidence")
    return not isinstance(confidence, (int, float)) or confidence >= UNSURE


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {key: value for key, value in document.items() if isinstance(value, dict)} if isinstance(document, dict) else {}
    )
