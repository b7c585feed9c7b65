"""Foresight: what a period will cost, and what is out of the ordinary, from the stream of spend alone."""

from __future__ import annotations

from llmcost.insight.anomalies import GLOBAL, Anomaly, Event, Scope, ScopeKind
from llmcost.insight.causes import Cause, Change, Profile
from llmcost.insight.detector import Detector
from llmcost.insight.distribution import ENOUGH_DAYS, Forecast
from llmcost.insight.forecaster import Forecaster
from llmcost.insight.grades import SEVERITIES, Severity
from llmcost.insight.key_watch import WatchSettings
from llmcost.insight.prediction import CostPrediction, Exhaustion, NotEnoughHistory, predict_cost
from llmcost.insight.samples import Sample
from llmcost.insight.watch import MOST_KEYS, Watch

__all__ = [
    "ENOUGH_DAYS",
    "GLOBAL",
    "MOST_KEYS",
    "SEVERITIES",
    "Anomaly",
    "Cause",
    "Change",
    "CostPrediction",
    "Detector",
    "Event",
    "Exhaustion",
    "Forecast",
    "Forecaster",
    "NotEnoughHistory",
    "Profile",
    "Sample",
    "Scope",
    "ScopeKind",
    "Severity",
    "Watch",
    "WatchSettings",
    "predict_cost",
]
