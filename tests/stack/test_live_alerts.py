"""Alerts that fire in a running Prometheus, of what programs sent through the collector."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.programs import write
from stack.asking import Asking
from stack.programs import observed, settings

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

BUDGET = """
[[budgets]]
name = "{mode}-budget"
daily = 0.001
mode = "{mode}"
"""


def firing(alert: str, label: str) -> str:
    return f'ALERTS{{alertname="{alert}", alertstate="firing", {label}}}'


@pytest.mark.parametrize(
    ("mode", "alert", "label"),
    [
        ("warn", "LLMCostBudgetUsedUp", 'llmcost_budget_name="warn-budget"'),
        ("block", "LLMCostCallsRefused", 'llm_semantic_label="untracked"'),
    ],
)
def test_a_budget_that_is_used_up_is_an_alert(
    mode: str, alert: str, label: str, running: Asking, tmp_path: Path
) -> None:
    (tmp_path / "llmcost.toml").write_text(BUDGET.format(mode=mode))
    observed(write(tmp_path, "calls(5)\n"), settings(running.stack.endpoint, mode, tmp_path / "store"))
    (found,) = running.series_of(firing(alert, label), 1)
    assert found["metric"]["severity"] in {"critical", "warning"}


def test_a_model_without_a_price_is_an_alert_and_others_are_none(running: Asking, tmp_path: Path) -> None:
    app = write(tmp_path, "calls(2)\n")
    app.write_text(app.read_text().replace("gpt-5-mini", "orion-preview"))
    observed(app, settings(running.stack.endpoint, "new-model", tmp_path / "store"))
    (found,) = running.series_of(firing("LLMCostUnpricedModel", 'gen_ai_provider_name="openai"'), 1)
    assert found["metric"]["gen_ai_request_model"] == "orion-preview"
    assert running.value('count(ALERTS{alertname="LLMCostInternalErrors"})') is None
