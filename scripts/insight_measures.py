"""How good forecasts and alerts are: months that were forecast, and faults that were put into real spend."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from insight_levels import FIRST_JUDGED, Scores, Spend, alerts, scored

from llmcost.insight import Forecast, Forecaster

DAY_S = 86400.0
DAY, HOLD = 144, 36
"""Buckets."""
MONTH, HISTORY, STANDING = 30, 28, (7, 14, 21)
"""Days; the last are those of the month on which it is forecast."""
BUDGETS = (0.9, 1.0, 1.1, 1.25)
"""Shares of the run rate that a month may pass."""
MOST_MONTHS = 24

# --- forecasts --------------------------------------------------------------------------------------------------


def judged_months(start: float, values: Sequence[float]) -> Iterator[dict[str, float]]:
    """Measures of each forecast of the months of a daily series that begins at ``start`` (Unix time)."""
    forecaster, firsts = Forecaster(), range(HISTORY, len(values) - MONTH + 1, MONTH)[-MOST_MONTHS:]
    stands = {first + day: first for first in firsts for day in STANDING}
    for day, value in enumerate(values):
        first = stands.get(day)
        if first is not None and sum(values[first : first + MONTH]) > 0:
            spent, now = sum(values[first:day]), start + day * DAY_S
            found = forecaster.predict(start + (first + MONTH) * DAY_S, now, spent)
            rate = spent + (first + MONTH - day) * sum(values[day - 28 : day]) / 28
            yield {"day": day - first, **_judged(found, sum(values[first : first + MONTH]), rate)}
        forecaster.update(start + (day + 0.5) * DAY_S, value)


def _judged(found: Forecast, actual: float, rate: float) -> dict[str, float]:
    low80, high80, low95, high95 = found.lower(0.8), found.upper(0.8), found.lower(0.95), found.upper(0.95)
    off = abs(found.mean - actual)
    inner = high80 - low80 + 10 * (max(low80 - actual, 0) + max(actual - high80, 0))
    outer = high95 - low95 + 40 * (max(low95 - actual, 0) + max(actual - high95, 0))
    passed = [(found.p_exceed(share * rate), actual > share * rate) for share in BUDGETS]
    return {
        "ape": off / actual,
        "80 %": float(low80 <= actual <= high80),
        "95 %": float(low95 <= actual <= high95),
        "width": (high95 - low95) / actual,
        "WIS": min(5.0, (0.1 * inner + 0.025 * outer + 0.5 * off) / 2.5 / actual),
        "Brier": float(np.mean([(chance - happened) ** 2 for chance, happened in passed])),
        "log": float(np.mean([-math.log(max(p if happened else 1 - p, 0.005)) for p, happened in passed])),
    }


# --- faults -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """What is put into a key's second week.

    Attributes:
        buckets: how long it lasts; None is until the end.
        window: buckets from its beginning in which an alert counts.
        cost: the new cost of its buckets, from the old one and a typical one (USD).
        same_calls: dearer calls, not more of them.
        at_night: in the quietest hours, where the typical bucket is that of a busy hour.
    """

    buckets: int | None
    window: int
    cost: Callable[[np.ndarray, float], np.ndarray]
    same_calls: bool = False
    at_night: bool = False


SCORED: Mapping[str, Fault] = {
    "loop x10": Fault(3, 4, lambda cost, typical: cost + 9 * np.maximum(cost, typical)),
    "model x5": Fault(None, 36, lambda cost, _: 5 * cost, same_calls=True),
    "retries x2": Fault(12, 13, lambda cost, _: 2 * cost),
    "leaked key": Fault(18, 19, lambda cost, typical: cost + typical, at_night=True),
}
"""The faults that count to precision, recall and F1."""
OTHERS: Mapping[str, Fault] = {
    "price x3.5": Fault(None, 36, lambda cost, _: 3.5 * cost, same_calls=True),
    "volume x3": Fault(36, 37, lambda cost, _: 3 * cost),
    "loop x4": Fault(6, 7, lambda cost, typical: cost + 3 * np.maximum(cost, typical)),
    "retries x3": Fault(12, 13, lambda cost, _: 3 * cost),
}
FAULTS: Mapping[str, Fault] = {**SCORED, **OTHERS}


def _thinned(spend: Spend, rng: np.random.Generator) -> Spend:
    kept = rng.binomial(np.rint(spend.calls).astype(int), 0.5)
    return Spend(spend.cost * kept / np.maximum(spend.calls, 1), kept.astype(float))


def _few(spend: Spend, rng: np.random.Generator) -> Spend:
    """Some three calls a bucket, each of another cost."""
    rate = 3 / max(spend.calls.mean(), 1e-9)
    kept = rng.poisson(np.minimum(spend.calls * rate, 60))
    prices = spend.cost / np.maximum(spend.calls, 1)
    sums = [price * rng.lognormal(-0.125, 0.5, count).sum() for price, count in zip(prices, kept, strict=True)]
    return Spend(np.array(sums), kept.astype(float))


VARIATIONS: Mapping[str, Callable[[Spend, np.random.Generator], Spend]] = {
    "as it is": lambda spend, _: spend,
    "a thousandth": lambda spend, _: Spend(spend.cost / 1000, spend.calls),
    "11 hours later": lambda spend, _: Spend(np.roll(spend.cost, 66), np.roll(spend.calls, 66)),
    "every second call": _thinned,
    "three calls": _few,
    "unsteady by 20 %": lambda spend, rng: Spend(spend.cost * rng.lognormal(0, 0.2, len(spend.cost)), spend.calls),
}


def with_fault(spend: Spend, fault: Fault, rng: np.random.Generator) -> tuple[Spend, int]:
    """Spend with a fault, and the bucket in which that begins."""
    first_week = spend.cost[:FIRST_JUDGED]
    begin, before = 0, spend.cost[:0]
    for _ in range(200):
        begin = (
            _night(first_week, rng) if fault.at_night else int(rng.integers(FIRST_JUDGED + 24, len(spend.cost) - 40))
        )
        before = spend.cost[begin - DAY : begin]
        lively = fault.at_night or np.mean(spend.cost[begin : begin + 6] > 0) >= 0.9
        if np.sum(before > 0) >= 30 and lively and begin + (fault.buckets or 0) <= len(spend.cost):
            break
    busy = before[before > 0] if np.any(before > 0) else spend.cost[spend.cost > 0]
    typical = float(np.quantile(first_week[first_week > 0], 0.75) if fault.at_night else np.median(busy))
    end = len(spend.cost) if fault.buckets is None else begin + fault.buckets
    cost, calls = spend.cost.copy(), spend.calls.copy()
    cost[begin:end] = fault.cost(cost[begin:end], typical)
    if not fault.same_calls:
        made = spend.calls[begin - DAY : begin].sum() or spend.calls.sum()
        price = (before.sum() or spend.cost.sum()) / max(made, 1)
        calls += np.rint((cost - spend.cost) / max(price, 1e-12))
    return Spend(cost, calls), begin


def _night(first_week: np.ndarray, rng: np.random.Generator) -> int:
    """A bucket of the second week near the beginning of the key's three quietest hours."""
    hours = np.median(first_week.reshape(7, 24, 6).mean(axis=2), axis=0)
    quiet = int(np.argmin(hours + np.roll(hours, -1) + np.roll(hours, -2)))
    return int(rng.integers(7, 14)) * DAY + quiet * 6 + int(rng.integers(0, 4))


# --- alerts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """Scores of a key: as it was, and with a fault that begins in a bucket."""

    clean: Scores
    faulty: Sequence[tuple[str, Scores, int]]


def trial(name: str, spend: Spend, places: int, variation: str = "as it is") -> Trial:
    """A key with each of the faults in turn, in so many places."""
    varied = VARIATIONS[variation](spend, _rng(name, variation))
    faulty = []
    for kind, fault in FAULTS.items():
        for place in range(places):
            broken, begin = with_fault(varied, fault, _rng(name, variation, kind, place))
            faulty.append((kind, scored(broken), begin))
    return Trial(scored(varied), faulty)


def _rng(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(map(str, parts)).encode()))


def judged_alerts(trials: Sequence[Trial], levels: Sequence[float], severity: int = 2) -> dict[str, float]:
    """Alerts a key and week without faults, F1 over the scored faults, and the share of each fault that was found."""
    found: dict[str, list[bool]] = {kind: [] for kind in FAULTS}
    clean = false = 0
    for one in trials:
        clean += len(_raised(one.clean, levels, severity))
        for kind, scores, begin in one.faulty:
            fault, raised = FAULTS[kind], _raised(scores, levels, severity)
            found[kind].append(any(begin <= at < begin + fault.window for at in raised))
            end = begin + fault.window + 6 if fault.buckets is not None else len(scores.volume)
            false += kind in SCORED and sum(not begin <= at < end for at in raised)
    hits = [hit for kind in SCORED for hit in found[kind]]
    precision, recall = sum(hits) / max(sum(hits) + false, 1), float(np.mean(hits))
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    shares = {kind: float(np.mean(hit)) for kind, hit in found.items()}
    return {"alerts": clean / len(trials), "F1": f1, **shares}


def _raised(scores: Scores, levels: Sequence[float], severity: int) -> list[int]:
    return [bucket for bucket, grade in alerts(scores, levels) if bucket >= FIRST_JUDGED and grade >= severity]
