"""The scores from which an alert is low, medium and high: fitted on keys of a real LLM service, in random halves."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmcost.insight.grades import HOLD_S, IncidentGate, grade
from llmcost.insight.restless import Restless
from llmcost.insight.spend import UNIT_LEVELS
from llmcost.insight.unit_price import UnitPrice
from llmcost.insight.volume import VolumeScore
from llmcost.insight.week import HOURS

ALERTS_A_KEY_WEEK = (2.3, 0.8, 0.24)
"""Budgets of low, medium and high alerts, real and unlabelled jumps included, escalations (some 6 % more) not. The
targets are 3 and 1 at low and medium: keys differ so much that a fifth is left for keys that were never seen."""
BUCKET, WARM, FIRST_JUDGED = 600.0, 144, 1008
"""Seconds; buckets in which a key is only learnt; bucket from which alerts count."""
HALVES = 40
GRID = np.arange(3.0, 20.0, 0.2)


@dataclass(frozen=True)
class Spend:
    """A key's cost (USD) and calls by bucket."""

    cost: np.ndarray
    calls: np.ndarray


@dataclass(frozen=True)
class Scores:
    """A key's scores by bucket: of its volume, and the grade of the cost of a call. Neither hangs on the levels."""

    volume: np.ndarray
    unit: np.ndarray


def read_spend(folder: Path) -> dict[str, Spend]:
    """Spend of every key of the LLM service."""
    tables = []
    for name in ("llm_cost.csv", "llm_calls.csv"):
        with (folder / name).open(newline="") as file:
            heads, *rows = list(csv.reader(file))
        tables.append(dict(zip(heads, np.array(rows, float).T, strict=True)))
    costs, calls = tables
    return {key: Spend(costs[key], calls[key]) for key in costs if key != "minute"}


def scored(spend: Spend) -> Scores:
    """Scores of a key whose first bucket begins a week."""
    volume, unit, rows = VolumeScore(1.0), UnitPrice(), []
    for bucket, (cost, calls) in enumerate(zip(spend.cost.tolist(), spend.calls.tolist(), strict=True)):
        high = volume.score(cost, int(bucket * BUCKET // 3600) % HOURS)
        dear = grade(unit.score(cost, calls, 1 / (bucket + 2)), UNIT_LEVELS) * volume.news
        rows.append((high, dear) if bucket >= WARM else (0.0, 0.0))
    return Scores(*np.array(rows).T)


def alerts(scores: Scores, levels: Sequence[float]) -> list[tuple[int, int]]:
    """Bucket and severity (1 to 3) of what is reported at these levels."""
    hold = int(HOLD_S / BUCKET)
    gate, restless, found = IncidentGate(hold), Restless(BUCKET, hold), []
    for bucket, (high, dear) in enumerate(zip(scores.volume.tolist(), scores.unit.tolist(), strict=True)):
        volume = grade(restless.tempered(high, levels[1]), levels)
        severity = gate.passes(max(volume, dear), dear)
        if severity is not None:
            found.append((bucket, ("low", "medium", "high").index(severity) + 1))
    return found


def fit_levels(keys: Sequence[Scores]) -> list[float]:
    """For each severity the level that keeps its budget of alerts."""
    medium = kept_level(incidents(keys, 1), ALERTS_A_KEY_WEEK[1])
    low, high = (kept_level(incidents(keys, at, medium), ALERTS_A_KEY_WEEK[at]) for at in (0, 2))
    return [low, medium, high]


def kept_level(counts: np.ndarray, budget: float, seed: int = 1) -> float:
    """The lowest level that keeps a budget, on average over random halves of the keys: a level from all keys at once
    would hang on a few restless ones. ``counts`` has a row a key and a column a level of the grid."""
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(counts)), (HALVES, 1)), axis=1)
    over = counts[order[:, : max(1, len(counts) // 2)]].mean(axis=1) > budget
    above = [int(np.max(np.flatnonzero(row), initial=-1)) + 1 for row in over]
    return float(np.mean(GRID[np.minimum(above, len(GRID) - 1)]))


def incidents(keys: Sequence[Scores], severity: int, medium: float | None = None) -> np.ndarray:
    """How many incidents of a severity (0 to 2) and above each key has at each level of the grid, from the first judged
    bucket on. The medium level is that of the grid where none is given."""
    return np.array(
        [[_incidents_at(key, severity, at, at if medium is None else medium) for at in GRID.tolist()] for key in keys]
    )


def _incidents_at(scores: Scores, severity: int, level: float, medium: float) -> int:
    hold = int(HOLD_S / BUCKET)
    restless, last, count = Restless(BUCKET, hold), -hold, 0
    for bucket, (high, dear) in enumerate(zip(scores.volume.tolist(), scores.unit.tolist(), strict=True)):
        if restless.tempered(high, medium) >= level or dear >= severity + 1:
            count += bucket - last > hold and bucket >= FIRST_JUDGED
            last = bucket
    return count
