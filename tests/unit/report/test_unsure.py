"""Which labels a scan was not sure of."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmcost.report.unsure import unsure_labels


def written(folder: Path, mapped: Any, details: Any) -> Path:
    (folder / "semantic_map.json").write_text(mapped if isinstance(mapped, str) else json.dumps(mapped))
    (folder / "semantic_labels.json").write_text(details if isinstance(details, str) else json.dumps(details))
    return folder / "semantic_map.json"


def detail(label: str, confidence: object, origin: str = "rules") -> dict[str, object]:
    return {"label": label, "confidence": confidence, "origin": origin}


@pytest.mark.parametrize(
    ("details", "unsure"),
    [
        ({"a.py": {"f": detail("chat", 0.2), "g": detail("chat", 0.3)}}, {"chat"}),
        ({"a.py": {"f": detail("chat", 0.2), "g": detail("chat", 0.9)}}, set()),
        ({"a.py": {"f": detail("chat", 0.2), "g": detail("chat", 0.2, "hand")}}, set()),
        ({"a.py": {"f": detail("chat", 0.2), "g": detail("was_another", 0.2)}}, set()),
        ({"a.py": {"f": detail("chat", 0.2)}}, set()),
        ({"a.py": {"f": detail("chat", "low"), "g": 5}}, set()),
        ({"a.py": [], "b.py": {}}, set()),
        ([], set()),
        ("broken", set()),
    ],
)
def test_a_label_is_unsure_where_every_function_of_it_is(tmp_path: Path, details: Any, unsure: set[str]) -> None:
    assert unsure_labels(written(tmp_path, {"a.py": {"f": "chat", "g": "chat", "h": None}}, details)) == unsure


@pytest.mark.parametrize("mapped", ["broken", "[]", '{"a.py": 5}', "[" * 100_000])
def test_a_map_that_cannot_be_read_is_no_failure_of_a_report(tmp_path: Path, mapped: str) -> None:
    assert unsure_labels(written(tmp_path, mapped, {})) == frozenset()
    assert unsure_labels(tmp_path / "nosuch" / "semantic_map.json") == frozenset()
