"""Foresight: what a period will cost, and what is out of the ordinary, from the stream of spend alone."""

from __future__ import annotations

from llmcost.insight.detector import Detector
from llmcost.insight.distribution import ENOUGH_DAYS, Forecast
from llmcost.insight.forecaster import Forecaster
from llmcost.insight.incidents import SEVERITIES, Severity
from llmcost.insight.prediction import CostPrediction, Exhaustion, NotEnoughHistory, predict_cost

__all__ = [
    "ENOUGH_DAYS",
    "SEVERITIES",
    "CostPrediction",
    "Detector",
    "Exhaustion",
    "Forecast",
    "Forecaster",
    "NotEnoughHistory",
    "Severity",
    "predict_cost",
]
