"""``llmcost scan --ai`` as a process of its own: the labels, and its own cost booked under ``llmcost_scan``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from analyzer_projects import write
from e2e.programs import run
from recorded_endpoint import body, recorded_endpoint

pytestmark = pytest.mark.e2e

CLI = (sys.executable, "-c", "import sys; from llmcost.cli import main; sys.exit(main())")
APP = "import openai\n\n\ndef f(x):\n    return openai.responses.create(model='m', input=x + 1)\n"
ANSWER = '{"label": "billing_summary", "confidence": 0.9, "description": "Sums up a bill."}'
COST = 700 * 250 + 30 * 2_000
"""Nano-dollars of 700 tokens in and 30 out of gpt-5-mini, at 0.25 and 2 USD per million."""


def label_of(folder: Path) -> dict[str, Any]:
    text = (folder / ".llmcost" / "semantic_labels.json").read_text(encoding="utf-8")
    entry: dict[str, Any] = json.loads(text)["app.py"]["f"]
    return entry


def booked(folder: Path) -> dict[str, tuple[int, int]]:
    done = run([*CLI, "report", "--by", "label", "--json"], folder)
    assert done.returncode == 0, done.stderr
    return {row["key"]: (row["calls"], row["nano"]) for row in json.loads(done.stdout)["rows"]}


def ask(folder: Path, arguments: Sequence[str], **env: str) -> str:
    done = run([*CLI, "scan", "--yes", *arguments], folder, env={"OPENAI_API_KEY": "recorded", **env}, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_over_an_endpoint(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": APP})
    with recorded_endpoint() as endpoint:
        endpoint.answers.append((200, body(ANSWER)))
        said = ask(tmp_path, ["--ai", "gpt-5-mini", "--ai-url", endpoint.url])
    assert "1 labelled by gpt-5-mini for $0.0002, booked under llmcost_scan." in said
    assert (label_of(tmp_path)["label"], label_of(tmp_path)["origin"]) == ("billing_summary", "ai")
    assert booked(tmp_path) == {"llmcost_scan": (1, COST)}


def test_over_litellm(tmp_path: Path) -> None:
    pytest.importorskip("litellm", reason="litellm is not installed")
    write(tmp_path, {"app.py": APP})
    with recorded_endpoint() as endpoint:
        endpoint.answers.append((200, body(ANSWER)))
        ask(tmp_path, ["--ai", "openai/gpt-5-mini"], OPENAI_API_BASE=endpoint.url, LITELLM_LOCAL_MODEL_COST_MAP="True")
        assert [path for path, _, _ in endpoint.requests] == ["/v1/chat/completions"]
    assert label_of(tmp_path)["label"] == "billing_summary"
    assert booked(tmp_path) == {"llmcost_scan": (1, COST)}


def test_an_answer_that_fits_no_schema_costs_and_leaves_the_rules_label(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": APP})
    with recorded_endpoint() as endpoint:
        endpoint.answers.append((200, body("no JSON")))
        said = ask(tmp_path, ["--ai", "gpt-5-mini", "--ai-url", endpoint.url])
    assert "1 kept the rules' label" in said
    assert label_of(tmp_path)["origin"] == "rules"
    assert booked(tmp_path) == {"llmcost_scan": (1, COST)}
