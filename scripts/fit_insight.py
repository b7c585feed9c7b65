"""Fit the constants of ``llmcost/insight/fitted.py`` on the visible series; needs numpy.

    python scripts/fit_insight.py DATA            writes llmcost/insight/fitted.py
    python scripts/fit_insight.py DATA --check    says whether the file is what the data gives, and changes nothing
    python scripts/fit_insight.py DATA --validate cross-validates over the series and keys: each is judged by constants
                                                  that were fitted on the others

DATA is a folder with ``daily.csv`` (``group,series,date,value``), ``llm_cost.csv`` and ``llm_calls.csv`` (a row a
bucket of ten minutes, a column a key). Three things are fitted. On errors that the forecaster made while it walked
through the daily series:

1. the scale: log of the absolute error of a total, by ridge regression on the series' own running errors;
2. the quantiles of error / scale, by distance.

On the scores that real LLM keys got in their second week:

3. the scores from which an alert is low, medium and high, so that each severity keeps its budget of alerts.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "llmcost" / "insight" / "fitted.py"
DAY = 86400.0
LEVELS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.995)
HORIZONS = (1, 2, 4, 9, 16, 23, 30)
FIRST_DAY = 25
"""Errors count from this day on: before it the record is too short to standardise them."""
SCALE_FROM = 7
"""Distances (days) that the scale is fitted on."""
DAYS_OF_A_SERIES = 360
"""Longer series count as much as one of so many days."""
RIDGE = 1000.0
"""Draws the weights to equal ones: less of it does no better on series left out, and worse on series of spikes."""
FLOOR = 0.01
WIDENING = (1.25, 1.12, 1.03)
"""The quantiles are drawn out by these factors (below 5 %, between, above 95 %): errors on new series are larger than
on those fitted. At the lower end that costs little width, since spend can't fall below nothing."""


ALERTS_A_KEY_WEEK = (2.5, 0.85, 0.24)
"""Budgets of low, medium and high alerts, real and unlabelled jumps included, escalations (some 6 % more) not."""
BUCKET, WARM, FIRST_JUDGED = 600.0, 144, 1008
"""Seconds; buckets in which a key is only learnt; bucket from which alerts count."""


@dataclass(frozen=True)
class Errors:
    """One row a day and distance: series, distance in days, weight, log error, signs of the scale."""

    series: np.ndarray
    distance: np.ndarray
    weight: np.ndarray
    error: np.ndarray
    signs: np.ndarray

    def where(self, mask: np.ndarray) -> Errors:
        return Errors(self.series[mask], self.distance[mask], self.weight[mask], self.error[mask], self.signs[mask])


@dataclass(frozen=True)
class Constants:
    weights: np.ndarray
    tables: np.ndarray


@dataclass(frozen=True)
class Scores:
    """A key's scores by bucket: of its volume, and of the cost of a call."""

    volume: list[float]
    unit: list[float]


def read_daily(folder: Path) -> dict[str, tuple[float, list[float]]]:
    """Series name to (Unix time of its first day, values by day)."""
    series: dict[str, tuple[float, list[float]]] = {}
    with (folder / "daily.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC).timestamp()
            series.setdefault(f"{row['group']}/{row['series']}", (start, []))[1].append(float(row["value"]))
    return series


def walk(series: dict[str, tuple[float, list[float]]]) -> Errors:
    """Let a forecaster walk through each series, and note its errors."""
    from llmcost.insight.distribution import SOFTENING
    from llmcost.insight.forecaster import Forecaster

    rows: list[tuple[int, int, float, float, list[float]]] = []
    for number, (start, values) in enumerate(series.values()):
        weight = min(1.0, DAYS_OF_A_SERIES / len(values))
        forecaster = Forecaster()
        for day, value in enumerate(values):
            if day >= FIRST_DAY:
                now = start + day * DAY
                path = list(accumulate(forecaster.daily(HORIZONS[-1], now)))
                signs = forecaster._signs()  # noqa: SLF001 - the fit looks at what it fits
                actual = list(accumulate(values[day : day + HORIZONS[-1]]))
                for distance in HORIZONS:
                    if distance <= len(actual) and path[distance - 1] > 0:
                        ratio = actual[distance - 1] / path[distance - 1]
                        error = math.log((ratio + SOFTENING) / (1 + SOFTENING))
                        rows.append((number, distance, weight, error, signs))
            forecaster.update(start + (day + 0.5) * DAY, value)
    return Errors(*(np.array(column) for column in zip(*rows, strict=True)))


def fit(errors: Errors) -> Constants:
    """The scale's weights, and the quantiles of the standardised errors."""
    far = errors.where(errors.distance >= SCALE_FROM)
    size = np.log(np.abs(far.error) + FLOOR)
    columns = far.signs.shape[1]
    prior = np.array([0.0] + [0.8 / (columns - 1)] * (columns - 1))
    penalty = np.diag([1e-6] + [RIDGE] * (columns - 1))
    weighted = far.signs * far.weight[:, None]
    step = np.linalg.solve(weighted.T @ far.signs + penalty, weighted.T @ (size - far.signs @ prior))
    weights = prior + step
    standard = errors.error / np.exp(errors.signs @ weights)
    tables = [_quantiles(standard, errors.weight, errors.distance == distance) for distance in HORIZONS]
    return Constants(weights, np.array(tables))


def _quantiles(values: np.ndarray, weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    order = np.argsort(values[mask], kind="stable")
    kept, mass = values[mask][order], weights[mask][order]
    place = (np.cumsum(mass) - mass / 2) / mass.sum()
    found = np.interp(LEVELS, place, kept)
    middle = found[LEVELS.index(0.5)]
    low, inner, high = WIDENING
    factors = np.array([low if level < 0.05 else high if level > 0.95 else inner for level in LEVELS])
    # Drawn out by different factors, neighbours could change places.
    return np.maximum.accumulate(middle + factors * (found - middle))


def score_keys(folder: Path) -> list[Scores]:
    """The scores of every key of the LLM service."""
    from llmcost.insight.unit_price import UnitPrice
    from llmcost.insight.volume import VolumeScore
    from llmcost.insight.week import HOURS

    with (folder / "llm_cost.csv").open(newline="") as file:
        costs = list(csv.DictReader(file))
    with (folder / "llm_calls.csv").open(newline="") as file:
        calls = list(csv.DictReader(file))
    found = []
    for key in [name for name in costs[0] if name != "minute"]:
        volume, unit, scores = VolumeScore(1.0), UnitPrice(), Scores([], [])
        for bucket, (cost, made) in enumerate(zip(costs, calls, strict=True)):
            hour = int(bucket * BUCKET // 3600) % HOURS
            scores.volume.append(volume.score(float(cost[key]), hour))
            scores.unit.append(unit.score(float(cost[key]), float(made[key]), 1 / (bucket + 2)) * volume.news)
        found.append(scores)
    return found


def fit_levels(keys: Sequence[Scores]) -> list[float]:
    """For each severity the volume score that keeps its budget of alerts, those for dearer calls included."""
    from llmcost.insight.spend import UNIT_LEVELS

    levels = []
    for budget, unit in zip(ALERTS_A_KEY_WEEK, UNIT_LEVELS, strict=True):
        low, high = 0.0, 100.0
        for _ in range(20):
            level = (low + high) / 2
            alerts = sum(_alerts(scores, level, unit) for scores in keys) / len(keys)
            low, high = (level, high) if alerts > budget else (low, level)
        levels.append(high)
    return levels


def _alerts(scores: Scores, volume: float, unit: float) -> int:
    from llmcost.insight.grades import HOLD_S, IncidentGate

    gate, alerts = IncidentGate(int(HOLD_S / BUCKET)), 0
    for bucket, (spend, price) in enumerate(zip(scores.volume, scores.unit, strict=True)):
        passed = gate.passes(float(bucket >= WARM and (spend >= volume or price >= unit)))
        alerts += passed is not None and bucket >= FIRST_JUDGED
    return alerts


def rendered(constants: Constants, levels: Sequence[float]) -> str:
    """The text of the module of constants."""
    tables = "".join(f"    {_row(table)},\n" for table in constants.tables)
    return f'''"""Constants fitted on real series by ``scripts/fit_insight.py``. Not edited by hand.

Series: downloads, page views, station entries, tweets and rides a day; see docs/explanation/forecast.md.
"""

from __future__ import annotations

from typing import Final

LEVELS: Final = {LEVELS!r}
"""Probabilities of the quantiles below."""

HORIZONS: Final = {HORIZONS!r}
"""Distances in days."""

# fmt: off
SCALE_WEIGHTS: Final = {_row(constants.weights)}
"""Weights of the signs (1, spread, errors 1, 3, 7 and 14 days ahead, as logs) in the log of a total's usual error."""

ERRORS: Final = (
{tables})
"""Quantiles of log error / scale, a row a distance."""
# fmt: on

VOLUME_LEVELS: Final = ({", ".join(f"{level:.1f}" for level in levels)})
"""Scores of a bucket's spend for about {", ".join(f"{b:g}" for b in ALERTS_A_KEY_WEEK)} alerts a key and week."""
'''


def _row(values: Iterable[float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"


def validate(errors: Errors, folds: int = 6) -> None:
    """Print how often the intervals hold on series that the constants were not fitted on."""
    for distance in HORIZONS:
        inside: dict[float, list[np.ndarray]] = {0.8: [], 0.95: []}
        weights: list[np.ndarray] = []
        for fold in range(folds):
            constants = fit(errors.where(errors.series % folds != fold))
            test = errors.where((errors.series % folds == fold) & (errors.distance == distance))
            standard = test.error / np.exp(test.signs @ constants.weights)
            table = constants.tables[HORIZONS.index(distance)]
            weights.append(test.weight)
            for level, hits in inside.items():
                low, high = np.interp([(1 - level) / 2, (1 + level) / 2], LEVELS, table)
                hits.append((standard >= low) & (standard <= high))
        shares = {k: np.average(np.concatenate(v), weights=np.concatenate(weights)) for k, v in inside.items()}
        print(f"{distance:3d} days ahead: " + ", ".join(f"{k:.0%} interval holds {v:.1%}" for k, v in shares.items()))


def validate_levels(keys: Sequence[Scores]) -> None:
    """Print how many alerts the keys of one half raise at levels that were fitted on the other."""
    from llmcost.insight.spend import UNIT_LEVELS

    for half in (0, 1):
        judged = keys[1 - half :: 2]
        for budget, level, unit in zip(ALERTS_A_KEY_WEEK, fit_levels(keys[half::2]), UNIT_LEVELS, strict=True):
            alerts = sum(_alerts(scores, level, unit) for scores in judged) / len(judged)
            print(f"level {level:5.1f} from one half, for {budget:g} alerts a key and week: {alerts:.2f} on the other")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--validate", action="store_true")
    options = parser.parse_args(argv)
    errors = walk(read_daily(options.data))
    if options.validate:
        validate(errors)
        validate_levels(score_keys(options.data))
        return 0
    text = rendered(fit(errors), fit_levels(score_keys(options.data)))
    if options.check:
        same = TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name} is {'what the data gives' if same else 'out of date'}")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.relative_to(REPOSITORY)} from {len(errors.error)} errors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
