"""The recording rules of spend in Prometheus's own test of rules: sums of an hour, a day and 30 days."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from stack.dashboards.binaries import binary

pytestmark = pytest.mark.slow

RULES: Final = Path(__file__).resolve().parents[2] / "deploy" / "rules.yaml"
BY: Final = ("llm_semantic_label", "gen_ai_request_model", "gen_ai_provider_name")
SUMMARY: Final = ("summarization", "gpt-5-mini", "openai")
RESEARCH: Final = ("research", "claude-sonnet-4-5", "anthropic")
HOUR: Final = 60
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Case:
    """Series of ``llm_cost_total``, a sample each five minutes, and the spend recorded at a minute (USD)."""

    name: str
    series: tuple[tuple[str, tuple[str, str, str], str], ...]
    minute: int
    recorded: dict[str, dict[tuple[str, str, str], float]]


CASES: Final = (
    Case(
        "services add up, models stay apart",
        (
            ("a", SUMMARY, "0+0.05x600"),
            ("b", SUMMARY, "0+0.10x600"),
            ("a", RESEARCH, "0+1x600"),
        ),
        2 * DAY,
        {
            "hour": {SUMMARY: 12 * 0.15, RESEARCH: 12.0},
            "day": {SUMMARY: 288 * 0.15, RESEARCH: 288.0},
            "month": {SUMMARY: 576 * 0.15, RESEARCH: 576.0},
        },
    ),
    Case(
        "one jump is counted whole, and leaves the window again",
        (("a", SUMMARY, "0x19 6x500"),),
        5 * HOUR,
        {"hour": {SUMMARY: 0.0}, "day": {SUMMARY: 6.0}, "month": {SUMMARY: 6.0}},
    ),
    Case(
        "a counter that begins anew loses nothing",
        (("a", SUMMARY, "0+0.5x10 0+0.5x300"),),
        DAY,
        {"hour": {SUMMARY: 12 * 0.5}, "day": {SUMMARY: (288 - 1) * 0.5}, "month": {SUMMARY: (288 - 1) * 0.5}},
    ),
    Case("no series, no spend: unknown is not zero", (), DAY, {"hour": {}, "day": {}, "month": {}}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_spend_of_each_window_is_recorded(case: Case, tmp_path: Path) -> None:
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "5m",
        "tests": [
            {
                "interval": "5m",
                "input_series": [{"series": _series(who, of), "values": values} for who, of, values in case.series],
                "promql_expr_test": [_recorded(case, window, spent) for window, spent in case.recorded.items()],
            }
        ],
    }
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(document))
    command = [str(binary("promtool")), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _labels(of: tuple[str, str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in zip(BY, of, strict=True))


def _series(service: str, of: tuple[str, str, str]) -> str:
    return f'llm_cost_total{{service_name="{service}", {_labels(of)}}}'


def _recorded(case: Case, window: str, spent: dict[tuple[str, str, str], float]) -> dict[str, Any]:
    return {
        "expr": f"round(llmcost:spend_usd:{window}, 0.000001)",
        "eval_time": f"{case.minute}m",
        "exp_samples": [{"labels": f"{{{_labels(of)}}}", "value": round(value, 6)} for of, value in spent.items()],
    }
