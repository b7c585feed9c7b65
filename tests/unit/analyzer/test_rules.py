import json
import os
from pathlib import Path

import pytest

from llmcost_analyzer.labelers.rules import LABELS, RULES, Rule

SHARED = Path(os.environ.get("LLMCOST_SHARED", Path(__file__).resolve().parents[4] / "shared"))


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule in RULES for text in rule.yes])
def test_a_rule_matches_its_examples(rule: Rule, text: str) -> None:
    assert rule.in_names(text) or rule.in_prose(text)


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule in RULES for text in rule.no])
def test_a_rule_does_not_match_its_counter_examples(rule: Rule, text: str) -> None:
    assert rule.in_names(text) is None
    assert rule.in_prose(text) == []


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule in RULES for text in rule.no_prose])
def test_a_rule_does_not_match_its_counter_examples_in_prose(rule: Rule, text: str) -> None:
    assert rule.in_prose(text) == []


def test_every_rule_has_examples_of_both_kinds() -> None:
    assert [rule.label for rule in RULES if not rule.yes or not rule.no] == []


def test_the_rules_speak_the_taxonomy() -> None:
    path = SHARED / "data" / "labels" / "taxonomy.json"
    if not path.is_file():
        pytest.skip(f"no taxonomy at {path}")
    assert sorted(LABELS) == sorted(json.loads(path.read_text(encoding="utf-8"))["labels"])
