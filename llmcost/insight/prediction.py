"""What people are shown of a forecast: one record, the day that uses a budget up, or that nothing can be said."""

from __future__ import annotations

from dataclasses import dataclass

from llmcost.insight.distribution import ENOUGH_DAYS, Forecast


@dataclass(frozen=True, slots=True)
class NotEnoughHistory:
    """Said in place of a made-up number.

    Attributes:
        days: whole days seen.
        needed: whole days that a forecast needs.
    """

    days: int
    needed: int = ENOUGH_DAYS

    def __str__(self) -> str:
        return f"not enough history: {self.days} of {self.needed} days"


@dataclass(frozen=True, slots=True)
class CostPrediction:
    """A period's cost in USD.

    Attributes:
        mean: the point forecast (the median of the distribution).
        std: standard deviation.
        lower: lower end of the interval at ``confidence``.
        upper: upper end of the interval.
        risk_score: chance (0 to 1) to pass the budget; None where no budget is given.
        confidence: level of the interval.
    """

    mean: float
    std: float
    lower: float
    upper: float
    risk_score: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """When a budget is used up, in Unix seconds; None where that is not before the end of what was looked at.

    Attributes:
        expected: as likely before as after.
        earliest: before this only with a chance of 10 %.
        latest: before this with a chance of 90 %.
    """

    expected: float | None
    earliest: float | None
    latest: float | None


def predict_cost(
    forecast: Forecast, *, budget: float | None = None, confidence: float = 0.95
) -> CostPrediction | NotEnoughHistory:
    """The record that is shown for a forecast, or :class:`NotEnoughHistory`.

    Args:
        forecast: the distribution of the period's total.
        budget: limit of the period in USD.
        confidence: level of the interval, 0 to 1.
    """
    if not forecast.enough_history:
        return NotEnoughHistory(forecast.history_days)
    return CostPrediction(
        mean=forecast.mean,
        std=forecast.std,
        lower=forecast.lower(confidence),
        upper=forecast.upper(confidence),
        risk_score=None if budget is None else forecast.p_exceed(budget),
        confidence=confidence,
    )
