"""``--ai`` against a loopback server that answers with recorded bodies."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from analyzer_projects import write
from recorded_endpoint import Recorded, body, recorded_endpoint

from llmcost_analyzer.entries import Entry
from llmcost_analyzer.labelers import ai
from llmcost_analyzer.labelers.endpoint import asker

GOOD = '{"label": "billing_summary", "confidence": 0.9, "description": "Sums up  a bill."}'


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with recorded_endpoint() as server:
        yield server


def entry(name: str, confidence: float = 0.2) -> Entry:
    return Entry("app.py", name, "chat", "indirect", confidence, "a guess", lines=(1, 2))


def asked(tmp_path: Path, *entries: Entry) -> list[ai.Question]:
    write(tmp_path, {"app.py": "def f():\n    return bill()\n"})
    return ai.questions(tmp_path, entries)


def test_an_answer_becomes_the_label(tmp_path: Path, recorded: Recorded) -> None:
    recorded.answers = [(200, body(f"```json\n{GOOD}\n```"))]
    target = entry("f")
    outcome = ai.ask_all(asked(tmp_path, target), asker("m", recorded.url, "k"), lambda i, o: (i + o) / 1e6, None)
    assert (target.label, target.origin, target.confidence) == ("billing_summary", "ai", 0.9)
    assert target.description == "Sums up a bill."
    assert outcome.spent == pytest.approx(730 / 1e6)
    path, sent, key = recorded.requests[0]
    assert (path, sent["model"], key) == ("/v1/chat/completions", "m", "Bearer k")
    assert "return bill()" in json.dumps(sent)


@pytest.mark.parametrize(
    ("status", "content", "why"),
    [
        (500, b"oops", "status 500"),
        (200, b"no json", "no JSON"),
        (200, b"{}", "no message"),
        (200, body("I think it is chat."), "no JSON object"),
        (200, body('{"label": "Not A Label!", "confidence": 1}'), "label"),
        (200, body('{"label": "chat", "confidence": 7}'), "confidence"),
        (200, body('{"label": "chat", "confidence": true}'), "confidence"),
        (200, body('{"label": "chat", "confidence": 1, "description": []}'), "description"),
    ],
)
def test_a_failure_leaves_the_rules_label(
    tmp_path: Path, recorded: Recorded, status: int, content: bytes, why: str
) -> None:
    recorded.answers = [(status, content)]
    target = entry("f")
    outcome = ai.ask_all(asked(tmp_path, target), asker("m", recorded.url, None), lambda _i, _o: 0.0, None)
    assert (target.label, target.origin) == ("chat", "rules")
    assert outcome.failed == 1
    assert why in outcome.first_failure


def test_an_endpoint_that_is_not_there_is_a_failure_too(tmp_path: Path, recorded: Recorded) -> None:
    recorded.server.server_close()
    outcome = ai.ask_all(asked(tmp_path, entry("f")), asker("m", recorded.url, None), lambda _i, _o: 0.0, None)
    assert outcome.failed == 1


def test_the_ceiling_is_never_passed(tmp_path: Path, recorded: Recorded) -> None:
    recorded.answers = [(200, body(GOOD))] * 3
    entries = [entry(name) for name in "abc"]
    outcome = ai.ask_all(asked(tmp_path, *entries), asker("m", recorded.url, None), lambda _i, _o: 0.4, 1.0)
    assert (outcome.labelled, outcome.left) == (2, 1)
    assert len(recorded.requests) == 2


def test_only_unsure_labels_of_the_rules_are_asked_about_the_least_sure_first(tmp_path: Path) -> None:
    by_hand, by_model = entry("h", 0.1), entry("m", 0.1)
    by_hand.origin, by_model.origin = "hand", "ai"
    questions = asked(tmp_path, entry("sure", 0.95), entry("b", 0.4), by_hand, by_model, entry("a", 0.1))
    assert [question.entry.function for question in questions] == ["a", "b"]
