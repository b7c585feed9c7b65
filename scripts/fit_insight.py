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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import numpy as np
from insight_levels import ALERTS_A_KEY_WEEK, Spend, fit_levels, incidents, kept_level, read_spend, scored
from insight_measures import STANDING, VARIATIONS, Trial, judged_alerts, judged_months, trial

from llmcost.insight import fitted

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "llmcost" / "insight" / "fitted.py"
DAY = 86400.0
Series = dict[str, tuple[float, list[float]]]
"""Name to Unix time of the first day, and values by day."""
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


def read_daily(folder: Path) -> Series:
    """Series name to (Unix time of its first day, values by day)."""
    series: Series = {}
    with (folder / "daily.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC).timestamp()
            series.setdefault(f"{row['group']}/{row['series']}", (start, []))[1].append(float(row["value"]))
    return series


def walk(series: Series) -> Errors:
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


# --- held against what was not fitted on ------------------------------------------------------------------------


def left_out(series: Series, errors: Errors, folds: int = 6) -> list[dict[str, float]]:
    """The measures of each forecast of a month, by constants that were fitted on other series."""
    shipped = fitted.SCALE_WEIGHTS, fitted.ERRORS
    found: list[dict[str, float]] = []
    for fold in range(folds):
        use(fit(errors.where(errors.series % folds != fold)))
        for start, values in list(series.values())[fold::folds]:
            found += judged_months(start, values)
    fitted.SCALE_WEIGHTS, fitted.ERRORS = shipped  # type: ignore[misc]
    return found


def validate(found: Sequence[dict[str, float]]) -> None:
    """Print the measures of forecasts."""
    for title, rows in [
        ("all days", found),
        *((f"day {day}", [r for r in found if r["day"] == day]) for day in STANDING),
    ]:
        off = np.array([row["ape"] for row in rows])
        shares = {name: np.mean([row[name] for row in rows]) for name in ("80 %", "95 %", "WIS", "Brier", "log")}
        width = np.median([row["width"] for row in rows])
        words = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
        print(f"{title:8}  error median {np.median(off):.3f}, mean {np.mean(off):.3f}; {words}, width {width:.2f}")


def use(constants: Constants) -> None:
    """Let forecasters go by other constants than those that are shipped."""
    fitted.SCALE_WEIGHTS = tuple(constants.weights.tolist())  # type: ignore[misc]
    fitted.ERRORS = tuple(tuple(table) for table in constants.tables.tolist())  # type: ignore[misc,assignment]


def in_halves(trials: Sequence[Trial], repeats: int) -> dict[str, np.ndarray]:
    """What is found at medium on one half of the keys at levels that were fitted on the other; a number a half."""
    counts, rng, rows = incidents([one.clean for one in trials], 1), np.random.default_rng(2), []
    for _ in range(repeats):
        order = rng.permutation(len(trials))
        for half, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            medium = kept_level(counts[half], ALERTS_A_KEY_WEEK[1])
            levels = [level * medium / fitted.VOLUME_LEVELS[1] for level in fitted.VOLUME_LEVELS]
            rows.append({"level": medium, **judged_alerts([trials[at] for at in other], levels)})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def validate_levels(spend: Mapping[str, Spend]) -> None:
    """Print what is found on halves of the keys, and on variations of all keys at the levels that are shipped."""
    trials = [trial(name, one, places=3) for name, one in spend.items()]
    table = in_halves(trials, repeats=20)
    few, good = table["alerts"] <= 1.0, table["F1"] >= 0.5
    print(f"alerts at medium on {len(few)} halves of the keys, at levels from the other half")
    for share in (10, 50, 90):
        print(f"  {share} % below: {_in_words({name: float(np.percentile(v, share)) for name, v in table.items()})}")
    print(f"  at most 1 alert a key and week: {np.mean(few):.0%}; with F1 from 0.5 as well: {np.mean(few & good):.0%}")
    print(f"all keys at the level that is shipped, {fitted.VOLUME_LEVELS[1]}")
    print(f"  {'as they are':17}: {_in_words(judged_alerts(trials, fitted.VOLUME_LEVELS))}")
    for variation in list(VARIATIONS)[1:]:
        varied = [trial(name, one, 1, variation) for name, one in spend.items()]
        print(f"  {variation:17}: {_in_words(judged_alerts(varied, fitted.VOLUME_LEVELS))}", flush=True)


def _in_words(measures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in measures.items())


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--validate", action="store_true")
    options = parser.parse_args(argv)
    series = read_daily(options.data)
    errors = walk(series)
    if options.validate:
        validate(left_out(series, errors))
        validate_levels(read_spend(options.data))
        return 0
    text = rendered(fit(errors), fit_levels([scored(spend) for spend in read_spend(options.data).values()]))
    if options.check:
        same = TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name} is {'what the data gives' if same else 'out of date'}")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.relative_to(REPOSITORY)} from {len(errors.error)} errors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
