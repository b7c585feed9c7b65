"""Each file of collector-config/ through the real collector: what goes in, what comes out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from e2e.otlp_receiver import Received, receiving
from stack.asking import until
from stack.collectors import collector, send

from llmcost import semconv

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "cases"
FILES = sorted(path.stem for path in (REPOSITORY / "collector-config").glob("*.yaml"))

HEADERS = '{x-key: "k"}'
QUICK = {"DECISION_WAIT": "1s", "PUSH_INTERVAL": "1s", "BACKEND_HEADERS": HEADERS, "REDACT_SALT": "pepper"}

FOREIGN = {
    "gen_ai.client.inference",  # the event that holds messages
    "span.type",  # Datadog's
    "service.name",
    "service.namespace",
    "deployment.environment.name",
}
"""Names that are not ours and not of the GenAI conventions' table."""


NAMED = re.compile(r"""["'^](?:name == ")?((?:llm|llmcost|gen_ai|user|session|metadata)\.[a-z_.]+)""")
NAMELESS = {"otlp-backend"}


def test_every_file_has_a_case() -> None:
    assert [path.stem for path in sorted(CASES.glob("*.json"))] == FILES
    assert len(FILES) == 6


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("name", FILES)
def test_the_output_of_a_file_is_the_expected_one(name: str, tmp_path: Path) -> None:
    case = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    expected = case["expected"]
    with receiving() as backend, collector(f"{name}.yaml", tmp_path, backend.url, **QUICK) as stack:
        send(stack, case["input"])
        until(lambda: _complete(backend, expected))
    spans = dict(backend.spans)
    assert sorted(spans) == sorted(expected["spans"])
    for span, attributes in expected["spans"].items():
        assert {key: spans[span].get(key) for key in attributes} == pytest.approx(attributes)
    for counter, value in expected.get("counters", {}).items():
        assert backend.total(counter) == pytest.approx(value)
    assert not [body for body in backend.bodies if b"secret" in body]
    assert name != "otlp-backend" or {"k"} == {headers.get("x-key") for _, headers in backend.headers}


def _complete(backend: Received, expected: dict[str, Any]) -> bool:
    counted = all(backend.total(name) >= value - 1e-9 for name, value in expected.get("counters", {}).items())
    return counted and len(backend.spans) >= len(expected["spans"])


def test_every_name_in_the_files_is_one_that_llmcost_writes() -> None:
    known = {value for value in vars(semconv).values() if isinstance(value, str)}
    known |= {metric.name for metric in semconv.METRICS} | FOREIGN
    for path in (REPOSITORY / "collector-config").glob("*.yaml"):
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8")).replace("\\\\.", ".")
        named = set(NAMED.findall(text))
        assert named <= known, f"{path.name}: {sorted(named - known)}"
        assert named or path.stem in NAMELESS, path.name
